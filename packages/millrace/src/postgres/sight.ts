import type { SeenLog } from "../engine/halves.js";
import { translated } from "./errors.js";
import { readPlaces, type ServicePlace } from "./install.js";
import { serviceNumber } from "./names.js";
import type { PgPool } from "./pool.js";
import { type Session, withSession } from "./session.js";

/** What reads for people work with. */
export interface InspectParts {
  readonly pool: PgPool;
  /** The schema that all services share. */
  readonly shared: string;
  readonly log: SeenLog;
  /** Ms since the epoch, by this machine's clock. */
  readonly now: () => number;
}

/** How the rows of all services are put together. */
export interface Together {
  /** Of the whole, with what follows ORDER BY. */
  readonly order?: string;
  readonly limit?: number;
}

/** All services' tables as of one moment. */
export class Sight {
  readonly session: Session;
  readonly shared: string;
  readonly places: readonly ServicePlace[];

  constructor(session: Session, shared: string, places: readonly ServicePlace[]) {
    this.session = session;
    this.shared = shared;
    this.places = places;
  }

  /** Rows of the tables that all services share: `$shared` in the text is their schema. */
  rows<T>(text: string, ...values: unknown[]): Promise<T[]> {
    return this.session.objects<T>(text.replaceAll("$shared", this.shared), ...values);
  }

  /**
   * Rows of every service, put together. In the text of the SELECT for one of them, `$schema` is its schema and `$service` its name;
   * a LIMIT in there keeps each from reading more than is wanted of all.
   */
  async all<T>(select: string, { order, limit }: Together, ...values: unknown[]): Promise<T[]> {
    return this.#in(this.places, { select, order, limit }, values);
  }

  /** As {@link all}, of one service; none when it is not known. */
  of<T>(service: string, select: string, ...values: unknown[]): Promise<T[]> {
    return this.#in(
      this.places.filter((place) => place.service === service),
      { select },
      values,
    );
  }

  /** As {@link all}, of the service to whom a row's number belongs. */
  numbered<T>(row: number, select: string, ...values: unknown[]): Promise<T[]> {
    const number = serviceNumber(row);
    return this.#in(
      this.places.filter((place) => place.number === number),
      { select },
      values,
    );
  }

  /** The SELECTs of all services in one. */
  union(select: string, places: readonly ServicePlace[] = this.places): string {
    const parts = places.map(({ schema, service }) =>
      select.replaceAll("$schema", schema).replaceAll("$service", `'${service.replaceAll("'", "''")}'::text`),
    );
    return parts.length === 1 ? (parts[0] as string) : parts.map((part) => `(${part})`).join("\nUNION ALL\n");
  }

  async #in<T>(
    places: readonly ServicePlace[],
    { select, order, limit }: { select: string; order?: string | undefined; limit?: number | undefined },
    values: readonly unknown[],
  ): Promise<T[]> {
    if (places.length === 0) return [];
    const whole = this.union(select, places);
    const tail = `${order === undefined ? "" : ` ORDER BY ${order}`}${limit === undefined ? "" : ` LIMIT ${limit}`}`;
    return this.session.objects<T>(tail === "" ? whole : `SELECT * FROM (${whole}) AS together${tail}`, ...values);
  }
}

/** Reads all services' tables as of one moment, without keeping anybody from writing. */
export async function look<T>({ pool, shared }: InspectParts, read: (sight: Sight) => Promise<T>): Promise<T> {
  return translated(() =>
    withSession(pool, async (session) => {
      await session.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
      try {
        return await read(new Sight(session, shared, await readPlaces(session, shared)));
      } finally {
        await session.script("COMMIT").catch(() => {});
      }
    }),
  );
}
