import { Failure } from "../failure/failure.js";
import type { LogWriter, NewRecord } from "../log/log.js";
import type { Outbox, OutboxLease, OutboxLeases, OutboxPage } from "../store/outbox.js";

/** An event as commits leave it in the outbox. */
export function trialRecord(n: number, key = "k"): NewRecord {
  return {
    topic: "orders",
    partition: 0,
    id: `e-${n}`,
    source: "shop",
    type: "order.placed",
    version: 1,
    key,
    time: n,
    correlationId: undefined,
    causationId: undefined,
    hops: 0,
    headers: undefined,
    data: JSON.stringify({ n }),
    named: false,
    offset: -1,
  };
}

/** What several relays send from: arrays in place of tables. */
export class TrialShards {
  readonly rows = new Map<string, NewRecord[]>();
  readonly sent = new Map<string, number>();
  readonly owners = new Map<string, { readonly owner: string; readonly epoch: number }>();
  readonly members = new Set<string>();
  readonly ears = new Set<(shards: readonly string[]) => void>();

  constructor(...shards: readonly string[]) {
    for (const shard of shards) this.rows.set(shard, []);
  }

  commit(shard: string, records: readonly NewRecord[], { rings = true } = {}): void {
    this.rows.get(shard)?.push(...records);
    if (rings) for (const heard of this.ears) heard([shard]);
  }

  /** Somebody else has the lease from now on, whatever this one believes. */
  steal(shard: string, owner: string): OutboxLease {
    const epoch = (this.owners.get(shard)?.epoch ?? 0) + 1;
    this.owners.set(shard, { owner, epoch });
    return { shard, epoch };
  }
}

/** The outbox as one process has it. What is in `failing` is thrown by the next calls of that name. */
export class TrialOutbox implements Outbox {
  readonly failing: Partial<Record<"leases" | "next" | "sent" | "sent-after", Error[]>> = {};
  readonly #shards: TrialShards;
  readonly #member: string;

  constructor(shards: TrialShards, member: string) {
    this.#shards = shards;
    this.#member = member;
  }

  async leases(): Promise<OutboxLeases> {
    this.#fail("leases");
    const { rows, owners, members } = this.#shards;
    members.add(this.#member);
    const most = Math.ceil(rows.size / members.size);
    for (const shard of rows.keys()) {
      if (this.#held.length < most && owners.get(shard)?.owner === undefined) this.#shards.steal(shard, this.#member);
    }
    return { held: this.#held, surplus: this.#held.slice(most) };
  }

  async next(lease: OutboxLease, { recordsMax }: { readonly recordsMax: number }): Promise<OutboxPage> {
    this.#fail("next");
    const from = this.#shards.sent.get(lease.shard) ?? 0;
    const records = (this.#shards.rows.get(lease.shard) ?? []).slice(from, from + recordsMax);
    return { records: records.map((record) => ({ ...record })), through: from + records.length, waitedMs: 3 };
  }

  async sent({ shard, epoch }: OutboxLease, page: OutboxPage): Promise<void> {
    this.#fail("sent");
    if (this.#shards.owners.get(shard)?.epoch !== epoch) throw new Failure("FENCED", `${shard} is another's`);
    this.#shards.sent.set(shard, page.through);
    this.#fail("sent-after");
  }

  async release({ shard, epoch }: OutboxLease): Promise<void> {
    if (this.#shards.owners.get(shard)?.epoch === epoch) this.#shards.owners.delete(shard);
  }

  async backlog({ shard }: OutboxLease) {
    const { rows, sent } = this.#shards;
    return { shard, records: (rows.get(shard)?.length ?? 0) - (sent.get(shard) ?? 0), waitedMs: 0 };
  }

  async waiting(): Promise<boolean> {
    const { rows, sent } = this.#shards;
    return [...rows].some(([shard, all]) => all.length > (sent.get(shard) ?? 0));
  }

  onCommitted(heard: (shards: readonly string[]) => void): () => void {
    this.#shards.ears.add(heard);
    return () => void this.#shards.ears.delete(heard);
  }

  get #held(): readonly OutboxLease[] {
    return [...this.#shards.owners]
      .filter(([, { owner }]) => owner === this.#member)
      .map(([shard, { epoch }]) => ({ shard, epoch }));
  }

  #fail(call: "leases" | "next" | "sent" | "sent-after"): void {
    const error = this.failing[call]?.shift();
    if (error !== undefined) throw error;
  }
}

/** Keeps the ids of what is appended; `hold` has appends wait until `release`. */
export class TrialLog implements LogWriter {
  readonly ids: string[] = [];
  readonly appends: number[] = [];
  readonly failing: Error[] = [];
  #held: (() => void)[] | undefined;

  async append(records: readonly NewRecord[]): Promise<void> {
    this.appends.push(records.length);
    const error = this.failing.shift();
    if (error !== undefined) throw error;
    if (this.#held !== undefined) await new Promise<void>((resolve) => this.#held?.push(resolve));
    this.ids.push(...records.map(({ id }) => id));
  }

  hold(): void {
    this.#held = [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const resolve of held) resolve();
  }
}
