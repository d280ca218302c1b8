import { Failure } from "../failure/failure.js";
import type { Clock } from "../runtime/clock.js";
import { checkOptions } from "../runtime/options.js";
import type { Store } from "../store/store.js";
import { ChangesSince } from "./changes-since.js";

/** What a subscriber to a projection is told. `cursor` is where to go on after it. */
export type RowChange<Row> =
  /** The subscription has begun: what is read from now on misses nothing that is told later. */
  | { readonly type: "ready"; readonly cursor: string }
  /** A row as it is now; undefined when it was deleted. */
  | { readonly type: "row"; readonly id: string; readonly row: Row | undefined; readonly cursor: string }
  /** Changes were missed, or other rows answer now: what is known of the rows is to be read anew. */
  | { readonly type: "gap"; readonly cursor: string };

/** What is subscribed to, and from where on. */
export interface SubscribeOptions {
  /** The row of this key alone. */
  readonly id?: string;
  /** The `cursor` of the last change that was seen; without it, changes from now on. */
  readonly after?: string;
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
}

/** Where changes are read. */
export interface ChangesHost {
  readonly name: string;
  readonly store: Store;
  readonly service: string;
  readonly clock: Pick<Clock, "after">;
  /** The type of the rows that answer, as of this moment. */
  type(): Promise<string> | string;
}

/** How often is looked: by a number of rows of an index, more of them beside a transaction that stays open (see {@link pauseMs}). */
const lookMs = 50;
const commitsAtOnce = 100;

/** Tells changes of rows as they are committed, wherever they are made. A row that changes often may be told less often. */
export async function* rowChanges<Row>(host: ChangesHost, options: SubscribeOptions): AsyncGenerator<RowChange<Row>> {
  checkOptions(options, { id: true, after: true, signal: true }, { where: `projection ${host.name}: subscribe` });
  checkValues(host.name, options);
  const { store, service, clock } = host;
  const { id: wanted, after, signal } = options;
  let type = await host.type();
  let since = await ChangesSince.now({ store, service, type });
  let at = since.last;
  const cursor = () => `${type}/${at}`;
  const seen = after === undefined ? undefined : seenBy(after, type);
  if (after === undefined) yield { type: "ready", cursor: cursor() };
  else if (seen === undefined || seen > at) yield { type: "gap", cursor: cursor() };
  else {
    at = seen;
    since = new ChangesSince({ store, service, type }, at);
  }
  const ended = () => signal?.aborted === true;
  while (!ended()) {
    const now = await host.type();
    const told = now === type ? await since.next(commitsAtOnce) : undefined;
    if (told === undefined) {
      type = now;
      since = await ChangesSince.now({ store, service, type });
      at = since.last;
      yield { type: "gap", cursor: cursor() };
      continue;
    }
    for (const { commit, ids } of told.commits) {
      const of = wanted === undefined ? ids : ids.filter((id) => id === wanted);
      for (const [index, id] of of.entries()) {
        const stored = await store.readDocument(service, type, id);
        // Only the last row of a commit passes it: whoever breaks off before hears all of it again.
        if (index === of.length - 1) at = Math.min(commit, since.last);
        yield { type: "row", id, row: stored && (JSON.parse(stored.text) as Row), cursor: cursor() };
        if (ended()) return;
      }
      at = Math.min(commit, since.last);
    }
    if (told.more) continue;
    at = since.last;
    await paused(clock, pauseMs(since.ahead), signal);
  }
}

/** @throws {Failure} OPTION_INVALID */
function checkValues(name: string, { id, after, signal }: SubscribeOptions): void {
  const refuse = (option: string, what: string): never => {
    throw new Failure("OPTION_INVALID", `projection ${name}: subscribe: ${option} is ${what}`, { details: { option } });
  };
  if (id !== undefined && typeof id !== "string") refuse("id", "the key of a row, a text");
  if (after !== undefined && typeof after !== "string") refuse("after", "the cursor of a change, a text");
  if (signal !== undefined && !(signal instanceof AbortSignal)) refuse("signal", "an AbortSignal");
}

/** The commit of a cursor; undefined when it is of other rows, or none. */
function seenBy(cursor: string, type: string): number | undefined {
  const slash = cursor.lastIndexOf("/");
  const commit = cursor.slice(slash + 1);
  return cursor.slice(0, slash) === type && /^\d{1,15}$/.test(commit) ? Number(commit) : undefined;
}

/** Who looks through so many commits again does so the less often: two a millisecond at most. */
function pauseMs(ahead: number): number {
  return lookMs + ahead / 2;
}

function paused(clock: Pick<Clock, "after">, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal?.addEventListener("abort", end);
  });
}
