import { describeError, Failure, isFailure } from "../failure/failure.js";
import type { LogWriter, NewRecord } from "../log/log.js";
import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import { signal } from "../runtime/signals.js";
import type { Outbox, OutboxLease, OutboxPage } from "../store/outbox.js";

const relayedSignal = signal("relayed");

const limit = { recordsMax: 1_000, bytesMax: 4 * 1024 * 1024 };
/** While few events come, they are gathered for so long after the page before them began. */
const gatherMs = 5;
/** How long to wait for a bell that was missed. */
const pollMs = 1_000;
const retryMs = { first: 50, max: 10_000 };
/** A log that takes longer to acknowledge a page is spoken of. */
const silentMsMax = 10_000;

export interface SenderParts {
  readonly outbox: Outbox;
  readonly log: LogWriter;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Why a shard's events wait, and since when (ms, monotonic). */
export interface SenderTrouble {
  readonly shard: string;
  readonly since: number;
  readonly reason: string;
}

/** A page on its way: read, and not noted as sent yet. */
interface Sending {
  readonly page: OutboxPage;
  readonly readAt: number;
  acknowledged: boolean;
}

/**
 * Sends the events of one shard in order, page after page, for as long as this process has its lease. What fails is tried
 * again, the same page, until it is sent: a page is noted as sent only after the log has acknowledged it.
 */
export class Sender {
  readonly lease: OutboxLease;
  /** Resolves when nothing of it is under way any more. */
  readonly ended: Promise<void>;
  readonly #parts: SenderParts;
  #sending: Sending | undefined;
  #woken = false;
  #closed = false;
  #rouse: () => void = () => {};
  #failures = 0;
  #trouble: SenderTrouble | undefined;

  constructor(lease: OutboxLease, parts: SenderParts) {
    this.lease = lease;
    this.#parts = parts;
    this.ended = this.#run();
  }

  get trouble(): SenderTrouble | undefined {
    return this.#trouble;
  }

  /** There may be events that were not there before. */
  wake(): void {
    this.#woken = true;
    this.#rouse();
  }

  /** Begins no other page. */
  close(): void {
    this.#closed = true;
    this.#rouse();
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts;
    while (!this.#closed) {
      this.#woken = false;
      const began = clock.monotonic();
      try {
        const sent = await this.#sendPage();
        this.#mended();
        // An empty page says that there was nothing when it was asked for: whatever came later has rung.
        if (sent.length === 0) await this.#pause(pollMs, { wakes: true });
        else if (sent.length < limit.recordsMax / 2)
          await this.#pause(gatherMs - (clock.monotonic() - began), { wakes: false });
      } catch (error) {
        if (isFailure(error, "FENCED")) return this.#lost();
        await this.#pause(this.#failed(error), { wakes: false });
      }
    }
  }

  async #read(): Promise<Sending> {
    const page = await this.#parts.outbox.next(this.lease, limit);
    return { page, readAt: this.#parts.clock.monotonic(), acknowledged: false };
  }

  async #sendPage(): Promise<readonly NewRecord[]> {
    const { outbox, log } = this.#parts;
    const sending = this.#sending ?? (await this.#read());
    this.#sending = sending;
    const { page } = sending;
    if (page.records.length > 0) {
      if (!sending.acknowledged) {
        await this.#append(log, page.records);
        sending.acknowledged = true;
        this.#tell(sending);
      }
      await outbox.sent(this.lease, page);
    }
    this.#sending = undefined;
    return page.records;
  }

  /** No time limit of its own: what was given up here might reach the log behind what is sent next. */
  async #append(log: LogWriter, records: readonly NewRecord[]): Promise<void> {
    const cancel = this.#watch();
    try {
      await log.append(records);
    } finally {
      cancel();
    }
  }

  #watch(): Cancel {
    const { clock, logger } = this.#parts;
    const { shard } = this.lease;
    const since = clock.monotonic();
    return clock.after(silentMsMax, () => {
      this.#trouble ??= { shard, since, reason: "the log has not acknowledged events" };
      logger.warn({ shard }, `the log has not acknowledged events of ${shard} for ${silentMsMax / 1_000} s; they wait`);
    });
  }

  #tell({ page: { records, waitedMs }, readAt }: Sending): void {
    if (!relayedSignal.active) return;
    let bytes = 0;
    for (const { data } of records) bytes += data.length;
    const lagMs = waitedMs + this.#parts.clock.monotonic() - readAt;
    relayedSignal.publish({ shard: this.lease.shard, records: records.length, bytes, lagMs });
  }

  /** How long to wait before the next attempt. */
  #failed(error: unknown): number {
    const { clock, logger } = this.#parts;
    const { shard } = this.lease;
    const waitMs = Math.min(retryMs.first * 2 ** this.#failures, retryMs.max);
    this.#failures += 1;
    const { name, message } = describeError(error);
    const code = error instanceof Failure ? error.code : name;
    const since = this.#trouble?.since ?? clock.monotonic();
    this.#trouble = { shard, since, reason: `${code}: ${message}` };
    logger.error(
      { err: error, code, shard, waitMs, failures: this.#failures },
      `events of ${shard} could not be sent and wait in its outbox, nothing is lost: ${message}`,
    );
    return waitMs;
  }

  #mended(): void {
    const trouble = this.#trouble;
    if (trouble === undefined) return;
    const { clock, logger } = this.#parts;
    const seconds = Math.round((clock.monotonic() - trouble.since) / 1_000);
    logger.info(
      { shard: trouble.shard },
      `events of ${trouble.shard} are sent again after ${seconds} s; none was lost`,
    );
    this.#failures = 0;
    this.#trouble = undefined;
  }

  #lost(): void {
    const { shard } = this.lease;
    this.#closed = true;
    this.#parts.logger.warn({ shard }, `another process sends the events of ${shard} now`);
  }

  #pause(ms: number, { wakes }: { readonly wakes: boolean }): Promise<void> {
    const over = () => this.#closed || (wakes && this.#woken);
    if (ms <= 0 || over()) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.#rouse = () => {};
        resolve();
      };
      const cancel = this.#parts.clock.after(ms, done);
      this.#rouse = () => {
        if (over()) done();
      };
    });
  }
}
