import { Failure } from "../failure/failure.js";
import { documentKind, type Instance, type SagaStatus } from "../saga/instance.js";
import { instanceView, type SagaInstance } from "../saga/view.js";
import type { Inspect } from "../store/inspect.js";
import type { StoredDocument } from "../store/store.js";

/** A line of a list of sagas. */
export interface SagaSummary extends Pick<SagaInstance, "saga" | "key" | "status" | "current" | "why" | "changed"> {
  readonly service: string;
  readonly started: string;
}

/** Which instances are meant. */
export interface SagaQuery {
  readonly saga?: string;
  readonly status?: SagaStatus;
  readonly limit: number;
  /** With a saga and a status: the key that the last page ended with. */
  readonly after?: string;
}

/** An instance, and where it is stored. */
export interface FoundSaga {
  readonly service: string;
  readonly stored: Instance;
  /** The version of its state. */
  readonly schema: number;
  readonly instance: SagaInstance;
}

/** Those that wait for an operator come first, those that are over last. */
export const sagaStatuses: readonly SagaStatus[] = [
  "stuck",
  "compensating",
  "running",
  "early",
  "aborted",
  "completed",
];

interface Kind {
  readonly service: string;
  readonly type: string;
  readonly saga: string;
}

async function kindsOf(inspect: Inspect, saga: string | undefined): Promise<readonly Kind[]> {
  const types = await inspect.documentTypes();
  return types.flatMap(({ service, name: type }) => {
    const name = documentKind(type, "saga");
    return name === undefined || (saga !== undefined && saga !== name) ? [] : [{ service, type, saga: name }];
  });
}

async function unknownSaga(inspect: Inspect, saga: string): Promise<Failure> {
  const begun = [...new Set((await kindsOf(inspect, undefined)).map((kind) => kind.saga))].sort();
  const known = begun.length === 0 ? "none has" : `there are ${begun.join(", ")}`;
  return new Failure("NOT_FOUND", `no saga ${JSON.stringify(saga)} has begun here; ${known}: millrace sagas ls`);
}

/** Instances of sagas, by what they wait for. */
export async function listSagas(inspect: Inspect, query: SagaQuery): Promise<readonly SagaSummary[]> {
  const { saga, status, limit, after } = query;
  const kinds = await kindsOf(inspect, saga);
  if (kinds.length === 0 && saga !== undefined) throw await unknownSaga(inspect, saga);
  const found: SagaSummary[] = [];
  for (const value of status === undefined ? sagaStatuses : [status])
    for (const kind of kinds) {
      const left = limit - found.length;
      if (left <= 0) return found;
      const page = { service: kind.service, type: kind.type, field: "status", value, limit: left };
      const stored = await inspect.documents(after === undefined ? page : { ...page, after });
      found.push(...stored.map((one) => summaryOf(kind, one)));
    }
  return found;
}

function summaryOf({ service, saga }: Kind, stored: StoredDocument): SagaSummary {
  const { key, status, current, why, changed, started } = instanceView(saga, parse(stored));
  return { saga, service, key, status, current, changed, started, ...(why === undefined ? {} : { why }) };
}

/**
 * One instance.
 *
 * @throws {Failure} NOT_FOUND
 */
export async function findSaga(inspect: Inspect, saga: string, key: string): Promise<FoundSaga> {
  const kinds = await kindsOf(inspect, saga);
  if (kinds.length === 0) throw await unknownSaga(inspect, saga);
  for (const { service, type } of kinds) {
    const [stored] = await inspect.documents({ service, type, id: key, limit: 1 });
    if (stored === undefined) continue;
    const instance = parse(stored);
    const { schema } = stored;
    return { service, schema, stored: instance, instance: instanceView(saga, instance) };
  }
  throw new Failure(
    "NOT_FOUND",
    `saga ${saga} has no instance ${JSON.stringify(key)}; it may have been removed after its end`,
  );
}

function parse({ text }: StoredDocument): Instance {
  return JSON.parse(text) as Instance;
}
