import type { Clock } from "../runtime/clock.js";
import { translated } from "./errors.js";
import { installService, readPlaces, type ServicePlace } from "./install.js";
import { serviceNumber } from "./names.js";
import type { PgPool } from "./pool.js";
import { withSession } from "./session.js";
import { Texts } from "./texts.js";

/** A service's place, with its statements. */
export interface Place extends ServicePlace {
  readonly texts: Texts;
}

export interface PlacesParts {
  readonly pool: PgPool;
  /** The schema that all services share. */
  readonly shared: string;
  readonly clock: Clock;
}

/** Where the services are in the database, as far as this process has asked. */
export class Places {
  /** Statements over what all services share. */
  readonly texts: Texts;
  readonly #parts: PlacesParts;
  readonly #byService = new Map<string, Place>();
  readonly #byNumber = new Map<number, Place>();
  readonly #byConsumer = new Map<string, Place>();
  readonly #installing = new Map<string, Promise<Place>>();
  readonly #used = new Set<Place>();

  constructor(parts: PlacesParts) {
    this.#parts = parts;
    this.texts = new Texts(parts.shared, { schema: parts.shared, number: 0 });
  }

  /** Those that this process writes to. */
  get used(): ReadonlySet<Place> {
    return this.#used;
  }

  /** Those whose timers this process fires: all, while it writes to none. */
  async timed(): Promise<Iterable<Place>> {
    return this.#used.size > 0 ? this.#used : this.all();
  }

  /** The place of a service, made if there is none; undefined while it must be waited for. */
  ready(service: string): Place | undefined {
    const place = this.#byService.get(service);
    return place !== undefined && this.#used.has(place) ? place : undefined;
  }

  /** The place of a service, made or brought up to date when this process first writes to it. */
  of(service: string): Promise<Place> {
    let installing = this.#installing.get(service);
    if (installing === undefined) {
      installing = this.#install(service).catch((error) => {
        this.#installing.delete(service);
        throw error;
      });
      this.#installing.set(service, installing);
    }
    return installing;
  }

  /** The place of a service, if it has one. */
  async known(service: string): Promise<Place | undefined> {
    if (!this.#byService.has(service)) await this.#refresh();
    return this.#byService.get(service);
  }

  /** The place that a row's number belongs to. */
  async numbered(row: number): Promise<Place | undefined> {
    const number = serviceNumber(row);
    if (!this.#byNumber.has(number)) await this.#refresh();
    return this.#byNumber.get(number);
  }

  /** All that there are. */
  async all(): Promise<readonly Place[]> {
    await this.#refresh();
    return [...this.#byNumber.values()];
  }

  /** The place where a consumer is registered. */
  async registered(consumer: string): Promise<Place | undefined> {
    const known = this.#byConsumer.get(consumer);
    if (known !== undefined) return known;
    const places = await this.all();
    if (places.length === 0) return undefined;
    const selects = places.map(
      ({ schema, number }) => `SELECT ${number} FROM ${schema}.mr_consumers WHERE consumer = $1`,
    );
    const row = await this.#read((session) => session.row(selects.join(" UNION ALL "), consumer));
    const place = row && this.#byNumber.get(row[0] as number);
    if (place !== undefined) this.#byConsumer.set(consumer, place);
    return place;
  }

  /** It is registered there from now on. */
  registers(consumer: string, place: Place): void {
    this.#byConsumer.set(consumer, place);
  }

  async #install(service: string): Promise<Place> {
    const { pool, shared, clock } = this.#parts;
    const place = this.#note(await translated(() => installService(pool, shared, { service, now: clock.now() })));
    this.#used.add(place);
    return place;
  }

  async #refresh(): Promise<void> {
    for (const place of await this.#read((session) => readPlaces(session, this.#parts.shared))) this.#note(place);
  }

  #note(found: ServicePlace): Place {
    const known = this.#byService.get(found.service);
    if (known !== undefined) return known;
    const place: Place = { ...found, texts: new Texts(this.#parts.shared, found) };
    this.#byService.set(place.service, place);
    this.#byNumber.set(place.number, place);
    return place;
  }

  #read<T>(work: Parameters<typeof withSession<T>>[1]): Promise<T> {
    return translated(() => withSession(this.#parts.pool, work));
  }
}
