import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { OpenLog } from "../engine/halves.js";
import type { LogRecord, NewRecord } from "../log/log.js";
import { draft } from "../testing/conformance/log-drafts.js";
import { idsByPartition, nextRecords, readToEnd, TrialKafka, type TrialLogOptions } from "../testing/trial-kafka.js";
import { trialServers } from "../testing/trial-services.js";

const servers = await trialServers("kafka/3", "own");
const machines = servers?.machines ?? [];
let kafka: TrialKafka;
beforeEach(() => {
  kafka = new TrialKafka(servers?.address ?? "");
});
afterEach(() => kafka.close());
afterAll(() => servers?.close());

/** A stopped broker is given up soon, and what it holds up is waited for. */
const hasty: TrialLogOptions = { patience: "150s", client: { requestTimeout: 2_000, timeout: 1_500 } };

/** Appends batch after batch, as a relay does, until it is told to stop; then reads until all of it came. */
class Traffic {
  readonly acknowledged: NewRecord[] = [];
  readonly seen: LogRecord[] = [];
  #ending = false;
  readonly #writing: Promise<void>;
  readonly #reading: Promise<void>;

  constructor(writer: OpenLog, reader: OpenLog) {
    this.#writing = this.#write(writer);
    this.#reading = this.#read(reader);
  }

  async #write(log: OpenLog): Promise<void> {
    while (!this.#ending) {
      const batch = Array.from({ length: 20 }, (_, n) => draft(n % 3));
      await log.append(batch);
      this.acknowledged.push(...batch);
    }
  }

  async #read(log: OpenLog): Promise<void> {
    let from: readonly number[] = [0, 0, 0];
    while (!this.#ending || this.seen.length < this.acknowledged.length) {
      const batch = await nextRecords(log, from);
      this.seen.push(...batch.records);
      from = batch.next;
      if (this.#ending) await this.#writing;
    }
  }

  /** Resolves when so many more have been acknowledged. */
  async more(count: number): Promise<void> {
    const goal = this.acknowledged.length + count;
    while (this.acknowledged.length < goal) await new Promise((resume) => setImmediate(resume));
  }

  async end(): Promise<void> {
    this.#ending = true;
    await this.#writing;
    await this.#reading;
  }
}

async function assertKept(traffic: Traffic): Promise<void> {
  const stored = await readToEnd(await kafka.logOfOrders());
  expect(idsByPartition(stored)).toEqual(idsByPartition(traffic.acknowledged));
  expect(idsByPartition(traffic.seen)).toEqual(idsByPartition(traffic.acknowledged));
  for (const record of traffic.acknowledged) expect(record.offset).toBeGreaterThanOrEqual(0);
}

if (machines.length === 0) console.info("skipped: no Kafka of three brokers that may be disturbed");
describe.skipIf(machines.length === 0)("three brokers, while records are appended and read", () => {
  /** All copies are whole: the next broker may go. */
  const inSync = () => {
    const admin = kafka.admin();
    return vi.waitFor(
      async () => {
        const { topics } = await admin.metadata({ topics: [kafka.name("orders")], forceUpdate: true });
        for (const { isr } of topics.get(kafka.name("orders"))?.partitions ?? []) expect(isr).toHaveLength(3);
      },
      { timeout: 100_000, interval: 250 },
    );
  };
  const disturb = (machine: number, act: "kill" | "start" | "pause" | "resume" | "stop") =>
    servers?.disturb(machines[machine] as string, act) ?? Promise.resolve();

  it("lose, repeat and reorder nothing when one after the other is killed and comes back", {
    timeout: 240_000,
  }, async () => {
    const traffic = new Traffic(await kafka.logOfOrders(hasty), await kafka.logOfOrders(hasty));
    for (const machine of [0, 1]) {
      await traffic.more(200);
      await disturb(machine, "kill");
      await traffic.more(200);
      await disturb(machine, "start");
      await inSync();
    }
    await traffic.more(200);
    await traffic.end();
    await assertKept(traffic);
  });

  it("store a batch once that was sent again because no answer came", { timeout: 240_000 }, async () => {
    const traffic = new Traffic(await kafka.logOfOrders(hasty), await kafka.logOfOrders(hasty));
    for (const machine of [0, 2]) {
      await traffic.more(100);
      await disturb(machine, "pause");
      // The others have its partitions when it is found missing; until then, what it leads waits.
      await traffic.more(100);
      await disturb(machine, "resume");
      await inSync();
    }
    await traffic.more(100);
    await traffic.end();
    await assertKept(traffic);
  });
});
