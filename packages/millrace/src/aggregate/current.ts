import { Failure } from "../failure/failure.js";
import type { Awaitable } from "../log/log.js";
import type { Store } from "../store/store.js";
import type { Snapshot, StreamPage } from "../store/stream.js";
import type { AggregateDefinition } from "./definition.js";
import { eventsGone, type Folded, foldRecords, frozen, initial } from "./fold.js";

/** What is read of a stream at a time. */
export const pageRecords = 500;

/**
 * The newest state: from what is known of it, or its snapshot, and the events since. Where the store answers at once and a
 * page is enough, it is there at once.
 */
export function currentState(
  definition: AggregateDefinition,
  at: { readonly store: Store; readonly key: string },
  known: Folded | undefined,
): Awaitable<Folded> {
  if (known !== undefined) return caughtUp(definition, at, known);
  if (definition.snapshotEvery === undefined) return caughtUp(definition, at, initial(definition));
  const snapshot = at.store.readSnapshot({ topic: definition.name, key: at.key });
  const go = (found: Snapshot | undefined) => caughtUp(definition, at, restored(definition, found));
  return snapshot instanceof Promise ? snapshot.then(go) : go(snapshot);
}

function caughtUp(
  definition: AggregateDefinition,
  { store, key }: { readonly store: Store; readonly key: string },
  from: Folded,
): Awaitable<Folded> {
  const read = (after: number) => store.readStream({ topic: definition.name, key, after, limit: pageRecords });
  const rest = async (page: StreamPage, begun: Folded): Promise<Folded> => {
    let folded = begun;
    for (let { records, version } = page; ; ) {
      folded = foldRecords(definition, folded, records);
      if (folded.version >= version) return folded;
      if (records.length === 0) throw eventsGone(definition, key, { from: folded.version + 1, to: version });
      // A long stream must not hold up the rest of the process.
      await new Promise<void>((turn) => setImmediate(turn));
      ({ records, version } = await read(folded.version));
    }
  };
  const go = (page: StreamPage): Awaitable<Folded> => {
    // What is kept is a cache: one that knows more than the stream is of another life of it.
    if (from.version > page.version) return caughtUp(definition, { store, key }, initial(definition));
    if (from.version + page.records.length < page.version) return rest(page, from);
    return foldRecords(definition, from, page.records);
  };
  const first = read(from.version);
  return first instanceof Promise ? first.then(go) : go(first);
}

/** A snapshot's state, when this program made it; else the state before the first event. */
function restored(definition: AggregateDefinition, snapshot: Snapshot | undefined): Folded {
  if (snapshot === undefined || snapshot.fold !== definition.version) return initial(definition);
  try {
    return { state: frozen(JSON.parse(snapshot.text) as unknown), version: snapshot.version };
  } catch (cause) {
    throw new Failure(
      "STORE_DAMAGED",
      `the snapshot of ${definition.name} ${snapshot.key} is not JSON; keep a copy of the file and restore a backup`,
      { cause },
    );
  }
}
