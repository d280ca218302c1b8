import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { draft } from "../testing/conformance/log-drafts.js";
import { idsByPartition, nextRecords, readToEnd, TrialKafka } from "../testing/trial-kafka.js";
import { trialServers } from "../testing/trial-services.js";

const servers = await trialServers("kafka/1", "own");
const [broker] = servers?.machines ?? [];
let kafka: TrialKafka;
beforeEach(() => {
  kafka = new TrialKafka(servers?.address ?? "");
});
afterEach(() => kafka.close());
afterAll(() => servers?.close());

if (broker === undefined) console.info("skipped: no Kafka that may be disturbed");
describe.skipIf(broker === undefined)("a cluster that is away", { timeout: 120_000 }, () => {
  const disturb = (act: "kill" | "start" | "stop" | "pause" | "resume") => servers?.disturb(broker as string, act);

  it("is waited for: what was to be appended and read comes when it is back", async () => {
    const log = await kafka.logOfOrders({ patience: "100s" });
    const before = [draft(0), draft(1)];
    await log.append(before);
    const { next } = await log.read({ topic: "orders", from: [0, 0, 0], recordsMax: 100, bytesMax: 1 << 20 });
    await disturb("kill");
    const drafts = Array.from({ length: 30 }, (_, n) => draft(n % 3));
    const appending = [log.append(drafts.slice(0, 15)), log.append(drafts.slice(15))];
    const reading = nextRecords(log, next);
    await disturb("start");
    await Promise.all(appending);
    expect((await reading).records.length).toBeGreaterThan(0);
    expect(idsByPartition(await readToEnd(log))).toEqual(idsByPartition([...before, ...drafts]));
  });

  it("refuses with STORE_UNAVAILABLE when patience ends; what waited behind is refused too, and order stays", async () => {
    const log = await kafka.logOfOrders({ patience: "1s", client: { requestTimeout: 1_000 } });
    const first = draft(0);
    await log.append([first]);
    await disturb("stop");
    const refused = [draft(0), draft(0)];
    const outcomes = await Promise.allSettled(refused.map((record) => log.append([record])));
    expect(outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason)).toEqual([
      expect.objectContaining({ code: "STORE_UNAVAILABLE" }),
      expect.objectContaining({ code: "STORE_UNAVAILABLE" }),
    ]);
    await expect(async () => log.ends("orders")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    const elsewhere = { topic: "orders", from: [1, 0, 0], recordsMax: 10, bytesMax: 1_000 };
    await expect(async () => log.read({ ...elsewhere, from: [0, 0, 0] })).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
    await disturb("start");
    const later = [draft(0), draft(0)];
    for (const record of later) await log.append([record]);
    const stored = idsByPartition(await readToEnd(log));
    expect(stored[0]?.filter((id) => ![...refused].some((record) => record.id === id))).toEqual(
      [first, ...later].map(({ id }) => id),
    );
  });

  it("does not hold up a process that ends", async () => {
    const log = await kafka.logOfOrders();
    await disturb("pause");
    const appending = log.append([draft(0)]);
    const reading = Promise.resolve(log.read({ topic: "orders", from: [0, 0, 0], recordsMax: 1, bytesMax: 1 }));
    const outcomes = Promise.allSettled([appending, reading]);
    const began = performance.now();
    await log.close();
    expect(performance.now() - began).toBeLessThan(9_000);
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "STORE_UNAVAILABLE" } });
    await disturb("resume");
  });

  it("is named when it cannot be reached at the start", async () => {
    const nowhere = new TrialKafka("127.0.0.1:9");
    await expect(nowhere.log({ patience: "200ms" })).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining("127.0.0.1:9"),
    });
  });
});
