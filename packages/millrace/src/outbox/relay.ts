import type { Cancel } from "../runtime/clock.js";
import { signal } from "../runtime/signals.js";
import type { OutboxLease } from "../store/outbox.js";
import { Sender, type SenderParts, type SenderTrouble } from "./sender.js";

const backlogSignal = signal("relay-backlog");

const lookMs = 1_000;
/** How long a shard that others wait for, or that is left at the end, may take for the page under way. */
const handOverMs = 5_000;

/**
 * Sends to the log what commits have left in the outbox: the shards that this process has the leases of, each in order.
 *
 * Dies the process after the log has acknowledged a page and before that is noted, another sends the same page once more, in
 * the same order: what is new in it comes in order, the rest are copies, which consumers know by their identity and drop.
 */
export class Relay {
  readonly #parts: SenderParts;
  readonly #senders = new Map<string, Sender>();
  readonly #unhear: () => void;
  #looking: Promise<void> = Promise.resolve();
  #cancelLook: Cancel = () => {};
  #failures = 0;
  #closed = false;

  constructor(parts: SenderParts) {
    this.#parts = parts;
    this.#unhear = parts.outbox.onCommitted((shards) => {
      for (const shard of shards) this.#senders.get(shard)?.wake();
    });
  }

  /** Takes its share of the shards, and looks again each second. */
  async start(): Promise<void> {
    await this.#turn();
  }

  get troubles(): readonly SenderTrouble[] {
    return [...this.#senders.values()].flatMap(({ trouble }) => trouble ?? []);
  }

  /** Ends the pages under way, within a bound, and gives the leases back. What is left waits for another process, or the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelLook();
    this.#unhear();
    await this.#within(this.#looking);
    await Promise.all([...this.#senders.values()].map((sender) => this.#handOver(sender)));
  }

  async #turn(): Promise<void> {
    this.#looking = this.#look().then(
      () => {
        this.#failures = 0;
      },
      (error) => {
        this.#failures += 1;
        // Whoever sends hears of it by itself; here, one line is enough.
        if (this.#failures === 1)
          this.#parts.logger.error({ err: error }, "the store does not tell which events this process is to send");
      },
    );
    await this.#looking;
    if (this.#closed) return;
    this.#cancelLook = this.#parts.clock.after(lookMs, () => void this.#turn());
  }

  async #look(): Promise<void> {
    const { outbox } = this.#parts;
    const { held, surplus } = await outbox.leases();
    for (const [shard, sender] of this.#senders)
      if (!held.some((lease) => same(lease, sender.lease))) {
        sender.close();
        this.#senders.delete(shard);
      }
    if (this.#closed) {
      for (const lease of held) if (!this.#senders.has(lease.shard)) await outbox.release(lease);
      return;
    }
    for (const lease of held)
      if (!this.#senders.has(lease.shard)) this.#senders.set(lease.shard, new Sender(lease, this.#parts));
    for (const { shard } of surplus) {
      const sender = this.#senders.get(shard);
      if (sender !== undefined) await this.#handOver(sender);
    }
    if (!backlogSignal.active) return;
    for (const { lease } of this.#senders.values()) backlogSignal.publish(await outbox.backlog(lease));
  }

  async #handOver(sender: Sender): Promise<void> {
    const { outbox, logger } = this.#parts;
    const { lease } = sender;
    sender.close();
    await this.#within(sender.ended);
    this.#senders.delete(lease.shard);
    try {
      await this.#within(outbox.release(lease));
    } catch (error) {
      logger.warn({ err: error, shard: lease.shard }, `the lease of ${lease.shard} was not given back; it expires`);
    }
  }

  async #within(work: Promise<void>): Promise<void> {
    let cancel: Cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#parts.clock.after(handOverMs, resolve);
    });
    try {
      await Promise.race([work, late]);
    } finally {
      cancel();
    }
  }
}

function same(one: OutboxLease, other: OutboxLease): boolean {
  return one.shard === other.shard && one.epoch === other.epoch;
}
