import { Failure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import type { Inspect } from "../store/inspect.js";
import type { Amendment } from "../store/unit.js";
import type { DeliveryView, ExplainNode, Flow } from "./admin.js";
import { eventView } from "./views.js";

const eventsMax = 1_000;
const flowsMax = 5;
const pagesMax = 20;
/** Reads that are made before the event loop gets its turn: handlers run in this process, too. */
const readsInTurn = 50;

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

/**
 * What caused it and what it caused: the flow of an event or operation, or the newest flows of a key.
 *
 * @throws {Failure} NOT_FOUND, OPTION_INVALID when neither an id nor a key is given.
 */
export async function explain(
  inspect: Inspect,
  target: { readonly id?: string; readonly key?: string },
): Promise<readonly Flow[]> {
  if (target.id !== undefined) return [await flowOf(inspect, await correlationOf(inspect, target.id))];
  if (target.key === undefined) throw new Failure("OPTION_INVALID", "explain: name an event, an operation, or a key");
  const found = await correlationsOfKey(inspect, target.key);
  if (found.length === 0) throw new Failure("NOT_FOUND", `no event has the key ${JSON.stringify(target.key)}`);
  const flows: Flow[] = [];
  for (const correlationId of found) flows.push(await flowOf(inspect, correlationId));
  return flows;
}

async function correlationOf(inspect: Inspect, id: string): Promise<string> {
  const event = await inspect.event(id);
  if (event !== undefined) return event.correlationId;
  const operation = await inspect.operation(id);
  if (operation !== undefined) return operation.correlationId;
  // The id that an edited event got: its flow is that of the event it stands for.
  const amended = (await inspect.amendments()).find((amendment) => amendment.id === id);
  if (amended === undefined) throw new Failure("NOT_FOUND", `there is no event or operation ${id}`);
  const waiting = await inspect.entries({ consumer: amended.consumer, limit: eventsMax });
  const entry = waiting.find(({ record }) => record.id === id);
  if (entry !== undefined) return entry.record.correlationId;
  throw new Failure("NOT_FOUND", `${id} is an edit of ${placeOf(amended)} for ${amended.consumer}; explain that event`);
}

async function correlationsOfKey(inspect: Inspect, key: string): Promise<readonly string[]> {
  const found = new Set<string>();
  let after: string | undefined;
  for (let page = 0; page < pagesMax; page += 1) {
    const { events, next } = await inspect.events({
      key,
      newestFirst: true,
      limit: 100,
      ...(after === undefined ? {} : { after }),
    });
    for (const event of events) if (found.size < flowsMax) found.add(event.correlationId);
    if (next === undefined || found.size >= flowsMax) break;
    after = next;
    await turn();
  }
  return [...found];
}

async function flowOf(inspect: Inspect, correlationId: string): Promise<Flow> {
  const records = await inspect.correlation(correlationId, eventsMax);
  const edits = new Map<string, string>();
  const amendments = await inspect.amendments();
  for (const amendment of amendments) {
    const original = records.find((record) => sameRecord(record, amendment));
    if (original !== undefined && amendment.id !== undefined) edits.set(amendment.id, original.id);
  }
  const nodes: (ExplainNode & { readonly effects: ExplainNode[] })[] = [];
  for (const record of records) {
    nodes.push({ event: eventView(record), deliveries: await deliveriesOf(inspect, record, amendments), effects: [] });
    if (nodes.length % readsInTurn === 0) await turn();
  }
  const byId = new Map(nodes.map((node) => [node.event.id, node]));
  const roots: ExplainNode[] = [];
  for (const node of nodes) {
    const { causationId } = node.event;
    const cause = causationId === undefined ? undefined : byId.get(edits.get(causationId) ?? causationId);
    if (cause === undefined || cause === node) roots.push(node);
    else cause.effects.push(node);
  }
  return { correlationId, events: records.length, truncated: records.length >= eventsMax, roots };
}

/** What each consumer made of an event, with the reason where it failed. */
export async function deliveriesOf(
  inspect: Inspect,
  record: LogRecord,
  known?: readonly Amendment[],
): Promise<readonly DeliveryView[]> {
  const views: DeliveryView[] = [];
  const amendments = (known ?? (await inspect.amendments())).filter((amendment) => sameRecord(amendment, record));
  for (const { consumer, state, entry } of await inspect.deliveries(record)) {
    const edited = amendments.find((amendment) => amendment.consumer === consumer)?.id;
    const waiting = entry === undefined ? undefined : await inspect.entry(entry);
    views.push({
      consumer,
      state,
      ...(entry === undefined ? {} : { entry }),
      ...(waiting === undefined ? {} : { attempt: waiting.attempt }),
      ...(edited === undefined ? {} : { edited }),
      ...(waiting?.failure === undefined
        ? {}
        : { failure: { code: waiting.failure.code, message: waiting.failure.message } }),
    });
  }
  return views;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}
const sameRecord = (a: Place, b: Place): boolean =>
  a.topic === b.topic && a.partition === b.partition && a.offset === b.offset;
const placeOf = ({ topic, partition, offset }: Place): string => `${topic}/${partition}@${offset}`;
