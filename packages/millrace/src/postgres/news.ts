import type { Change } from "../engine/engine.js";
import type { OperationResult } from "../store/unit.js";

/** What processes tell each other after a commit. */
export interface News {
  readonly change?: Change;
  readonly results?: readonly OperationResult[];
  /** Services whose commits have left events in the outbox. */
  readonly shards?: readonly string[];
}

/** A change of everything that another process may have in memory. */
export const everything: Change = {
  lanes: "all",
  amended: true,
  pauses: true,
  jobs: true,
  builds: true,
  timers: true,
  leases: true,
};

/** NOTIFY carries less than 8,000 bytes. */
const bytesMax = 7_500;
const lanesMax = 100;

/** News of a moment, put together so that each thing is told once. */
export class Gathered {
  #change: { -readonly [name in keyof Change]: Change[name] } = {};
  readonly #lanes = new Map<string, { readonly consumer: string; readonly lane: string }>();
  readonly #results = new Map<string, OperationResult>();
  readonly #shards = new Set<string>();

  add({ change, results, shards }: News): void {
    if (change !== undefined) {
      const { lanes, ...flags } = change;
      this.#change = { ...this.#change, ...flags };
      if (lanes === "all") this.#change.lanes = "all";
      else for (const lane of lanes ?? []) this.#lanes.set(`${lane.consumer}/${lane.lane}`, lane);
    }
    for (const result of results ?? []) this.#results.set(result.operation, result);
    for (const shard of shards ?? []) this.#shards.add(shard);
  }

  /** As texts that each fit in one notification. What is too long to be told one by one is told as a whole. */
  texts(member: string): readonly string[] {
    const all = this.#change.lanes === "all" || this.#lanes.size > lanesMax;
    const lanes = all ? "all" : [...this.#lanes.values()];
    const change = lanes === "all" || lanes.length > 0 ? { ...this.#change, lanes } : this.#change;
    const texts: string[] = [];
    const shards = [...this.#shards];
    if (Object.keys(change).length > 0 || shards.length > 0) {
      const text = JSON.stringify({ member, change, shards });
      texts.push(fits(text) ? text : JSON.stringify({ member, change: { ...change, lanes: "all" }, shards }));
    }
    // Whoever waits for an operation asks for it: why it was refused need not be told.
    let results: Pick<OperationResult, "operation" | "state">[] = [];
    for (const { operation, state } of this.#results.values()) {
      if (!fits(JSON.stringify({ member, results: [...results, { operation, state }] }))) {
        texts.push(JSON.stringify({ member, results }));
        results = [];
      }
      results.push({ operation, state });
    }
    if (results.length > 0) texts.push(JSON.stringify({ member, results }));
    return texts;
  }
}

const fits = (text: string) => Buffer.byteLength(text) <= bytesMax;

/** The inverse of {@link Gathered.texts}; undefined for what is no news, or one's own. */
export function heardNews(text: string | undefined, member: string): News | undefined {
  try {
    const { member: from, ...news } = JSON.parse(text ?? "") as News & { readonly member: string };
    return from === member ? undefined : news;
  } catch {
    // Another program uses the channel.
    return undefined;
  }
}
