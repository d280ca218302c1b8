import { Failure } from "../failure/failure.js";
import type { Clock } from "../runtime/clock.js";
import type { Build } from "../store/builds.js";
import { indexesOf } from "../store/document-indexes.js";
import type { ChangesQuery, DocumentFilter, DocumentQuery } from "../store/document-query.js";
import type { JobsDue } from "../store/jobs.js";
import { decodeOperation } from "../store/rows.js";
import type { DocumentTypeShape, Inbox, Migration, Registration, ScheduleRow, Store } from "../store/store.js";
import type { StreamName, StreamQuery } from "../store/stream.js";
import type { EventPlace, Position, Progress, SqlValue, Unit } from "../store/unit.js";
import type { Commits } from "./commits.js";
import * as state from "./consumer-state.js";
import { declareType } from "./document-declaration.js";
import * as finds from "./document-finds.js";
import { DocumentLookups } from "./document-lookups.js";
import type { DocumentTypes } from "./document-types.js";
import { translated } from "./errors.js";
import * as leases from "./leases.js";
import { operationColumns, operationRow } from "./operation-rows.js";
import type { Place, Places } from "./places.js";
import type { PgPool } from "./pool.js";
import { readReach } from "./reach.js";
import * as rows from "./service-rows.js";
import { type Session, transact, withSession } from "./session.js";
import * as streams from "./streams.js";
import type { Topics } from "./topics.js";
import { migrate, query } from "./user-tables.js";

/** What the store port is made of. */
export interface StoreParts {
  readonly pool: PgPool;
  readonly places: Places;
  readonly topics: Topics;
  readonly types: DocumentTypes;
  readonly commits: Commits;
  readonly clock: Clock;
  readonly member: string;
  readonly inboxWindowMs: number;
  dueJobs(): Promise<JobsDue | undefined>;
  /** This process takes part in a consumer from now on; resolves when the others are told. */
  joins(consumer: string): Promise<void>;
  /** There may be leases for others. */
  leasesChanged(): void;
}

type Read<T> = (session: Session, place: Place) => Promise<T>;

/** The store port on PostgreSQL. */
export class PostgresStore implements Store {
  readonly inbox: Inbox;
  readonly #parts: StoreParts;
  readonly #lookups: DocumentLookups;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.#lookups = new DocumentLookups(parts.pool);
    this.inbox = { windowMs: parts.inboxWindowMs };
  }

  commit(units: readonly Unit[], progress: readonly Progress[]) {
    return this.#parts.commits.commit(units, progress);
  }

  async readDocument(service: string, type: string, id: string) {
    const { places } = this.#parts;
    const place = places.ready(service) ?? (await places.known(service));
    return place && translated(() => this.#lookups.read(place, { type, id }));
  }

  findDocuments(wanted: DocumentQuery) {
    return this.#of(wanted.service, [], (session, place) => finds.findDocuments(session, place, wanted));
  }

  countDocuments(filter: DocumentFilter) {
    return this.#of(filter.service, 0, (session, place) => finds.countDocuments(session, place, filter));
  }

  async readChanges(wanted: ChangesQuery) {
    const place = await this.#parts.places.known(wanted.service);
    return this.#read(async (session) => {
      if (place !== undefined) return finds.readChanges(session, place, wanted);
      return { commits: [], knownAfter: 0, last: await finds.lastCommit(session) };
    });
  }

  async ensureDocumentType(shape: DocumentTypeShape): Promise<void> {
    const { pool, places, types } = this.#parts;
    const place = await places.of(shape.service);
    if (types.get(shape.service, shape.type)?.indexes === indexesOf(shape)) return;
    await translated(() => transact(pool, (session) => declareType(session, place, shape)));
    await types.refresh(shape.service);
  }

  async documentServices(type: string): Promise<readonly string[]> {
    const found: string[] = [];
    for (const { service } of await this.#parts.places.all()) {
      await this.#parts.types.refresh(service);
      if (this.#parts.types.get(service, type) !== undefined) found.push(service);
    }
    return found;
  }

  async readStream(wanted: StreamQuery) {
    const owner = (await this.#parts.topics.find(wanted.topic))?.owner;
    return this.#of(owner, { records: [], version: 0 }, (session, place) => streams.readStream(session, place, wanted));
  }

  async readSnapshot(stream: StreamName) {
    const owner = (await this.#parts.topics.find(stream.topic))?.owner;
    return this.#of(owner, undefined, (session, place) => streams.readSnapshot(session, place, stream));
  }

  readRegistration(consumer: string) {
    return this.#registered(consumer, undefined, (session, place) => state.readRegistration(session, place, consumer));
  }

  async acquire(registration: Registration): Promise<readonly Position[]> {
    const { places, clock, joins, leasesChanged } = this.#parts;
    const { consumer, service } = registration;
    const place = await places.of(service);
    await joins(consumer);
    const taken = await this.#taking(place, (taking) => leases.acquire(taking, registration, clock.now()));
    places.registers(consumer, place);
    leasesChanged();
    return taken;
  }

  async leases(consumer: string) {
    const place = await this.#parts.places.registered(consumer);
    if (place === undefined)
      throw new Failure("POSITION_MISSING", `${consumer} is not registered any more; restart to register it anew`);
    await this.#parts.joins(consumer);
    return this.#taking(place, (taking) => leases.renew(taking, consumer));
  }

  async release(positions: readonly Position[]): Promise<void> {
    await this.#eachPlace(positions, (taking, of) => leases.release(taking, of));
    this.#parts.leasesChanged();
  }

  async recovered(positions: readonly Position[]): Promise<void> {
    await this.#eachPlace(positions, (taking, of) => leases.recovered(taking, of));
  }

  async readPosition(id: number) {
    return this.#in(await this.#parts.places.numbered(id), undefined, (session, place) =>
      state.readPosition(session, place, id),
    );
  }

  readLaneHeads(consumer: string) {
    return this.#registered(consumer, [], (session, place) => state.readLaneHeads(session, place, consumer));
  }

  async readEntry(entry: number) {
    return this.#in(await this.#parts.places.numbered(entry), undefined, (session, place) =>
      state.readEntry(session, place, entry),
    );
  }

  readLaneHead(consumer: string, lane: string) {
    return this.#registered(consumer, undefined, (session, place) =>
      state.readLaneHead(session, place, { consumer, lane }),
    );
  }

  readMutes(consumer: string) {
    return this.#registered(consumer, [], (session, place) => state.readMutes(session, place, consumer));
  }

  dueJobs() {
    return this.#parts.dueJobs();
  }

  readPause(consumer: string) {
    return this.#registered(consumer, undefined, (session, place) => state.readPause(session, place, consumer));
  }

  readAmendments(consumer: string) {
    return this.#registered(consumer, [], (session, place) => state.readAmendments(session, place, consumer));
  }

  async readDueTimers(now: number, limit: number) {
    const places = await this.#parts.places.timed();
    return this.#read(async (session) => {
      const due = [];
      for (const place of places) due.push(...(await rows.readDueTimers(session, place, { now, limit })));
      return due.sort((a, b) => a.due - b.due || a.timer - b.timer).slice(0, limit);
    });
  }

  async nextTimer() {
    const places = await this.#parts.places.timed();
    return this.#read(async (session) => {
      let next: number | undefined;
      for (const place of places) {
        const due = await rows.nextTimer(session, place);
        if (due !== undefined && (next === undefined || due < next)) next = due;
      }
      return next;
    });
  }

  async ensureSchedule(row: ScheduleRow): Promise<ScheduleRow> {
    const place = await this.#parts.places.of(row.service);
    return this.#transact((session) => rows.ensureSchedule(session, place, row));
  }

  readReach(consumer: string, event: EventPlace) {
    return this.#registered(consumer, { type: "pending" as const }, (session, place) =>
      readReach(session, place, { consumer, event }),
    );
  }

  readOperation(id: string) {
    const { texts } = this.#parts.places;
    return this.#read(async (session) => {
      const sql = `SELECT ${operationColumns} FROM $shared.mr_operations WHERE operation = $1`;
      const row = await session.row(texts.of("operation", sql), id);
      return row && decodeOperation(operationRow(row));
    });
  }

  async ensureBuild(service: string, name: string, version: number): Promise<readonly Build[]> {
    const place = await this.#parts.places.of(service);
    const now = this.#parts.clock.now();
    return this.#transact((session) => rows.ensureBuild(session, place, { name, version, now }));
  }

  readBuilds(service: string, name: string) {
    return this.#of(service, [], (session, place) => rows.readBuilds(session, place, name));
  }

  async migrate(service: string, migrations: readonly Migration[]): Promise<void> {
    const { pool, places } = this.#parts;
    const place = await places.of(service);
    for (const migration of migrations) await translated(() => migrate(pool, place, migration));
  }

  async query(text: string, params: readonly SqlValue[]) {
    return query(this.#parts.pool, await this.#parts.places.all(), { text, params });
  }

  #read<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return translated(() => withSession(this.#parts.pool, work));
  }

  #transact<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return translated(() => transact(this.#parts.pool, work));
  }

  #taking<T>(place: Place, work: (taking: leases.Taking) => Promise<T>): Promise<T> {
    const { member, places } = this.#parts;
    return this.#transact((session) => work({ session, place, member, texts: places.texts }));
  }

  async #eachPlace(
    positions: readonly Position[],
    work: (taking: leases.Taking, of: readonly Position[]) => Promise<void>,
  ): Promise<void> {
    const byPlace = new Map<Place, Position[]>();
    for (const position of positions) {
      const place = await this.#parts.places.numbered(position.id);
      if (place !== undefined) byPlace.set(place, [...(byPlace.get(place) ?? []), position]);
    }
    for (const [place, of] of byPlace) await this.#taking(place, (taking) => work(taking, of));
  }

  async #of<T>(service: string | undefined, none: T, read: Read<T>): Promise<T> {
    return this.#in(service === undefined ? undefined : await this.#parts.places.known(service), none, read);
  }

  async #registered<T>(consumer: string, none: T, read: Read<T>): Promise<T> {
    return this.#in(await this.#parts.places.registered(consumer), none, read);
  }

  async #in<T>(place: Place | undefined, none: T, read: Read<T>): Promise<T> {
    return place === undefined ? none : this.#read((session) => read(session, place));
  }
}
