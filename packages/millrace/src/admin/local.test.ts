import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { embedded } from "../embedded/embedded.js";
import { openReadOnly } from "../embedded/read-only.js";
import type { Engine } from "../engine/engine.js";
import type { MillraceApp } from "../main/millrace.js";
import { orders, placeOrder, price, trialApp } from "../main/trial-app.js";
import { type AdminAddress, readAddress } from "./address.js";
import type { Admin } from "./admin.js";
import { remoteAdmin } from "./client.js";
import { fileAdmin } from "./file.js";

let dir: string;
let app: MillraceApp;
let admin: Admin;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "millrace-local-"));
  app = trialApp({ dir });
  await app.start();
  admin = remoteAdmin((await readAddress(dir)) as AdminAddress, { timeoutMs: 10_000 });
});
afterEach(async () => {
  await app.stop();
  rmSync(dir, { recursive: true, force: true });
});

const by = { actor: "ada", reason: "a test" };

async function deadOrder(orderId = "o-1"): Promise<number> {
  await app.publish(orders.placed({ orderId, pence: price.dead }));
  await app.settled();
  const { entries } = await admin.deadLetters({ limit: 10 });
  return entries.find((entry) => entry.event.key === orderId)?.entry as number;
}

describe("a dead letter", () => {
  it("is edited, redriven and applied, with its follower behind it", async () => {
    const entry = await deadOrder();
    await app.publish(orders.placed({ orderId: "o-1", pence: 7 }));
    await app.settled();
    expect(await admin.deadLetter({ entry })).toMatchObject({
      followers: 1,
      entry: { attempt: 1, failure: { message: expect.stringContaining("666") } },
    });

    const edited = await admin.edit({ ...by, entry, data: { orderId: "o-1", pence: 5 } });
    expect(edited).toMatchObject({ changed: 1, matched: 1, dryRun: false });
    const shown = await admin.deadLetter({ entry });
    expect(shown.entry).toMatchObject({
      edited: { id: edited.id, data: { orderId: "o-1", pence: 5 }, actor: "ada" },
      event: { id: edited.id },
    });
    expect(shown.entry.event.causationId).not.toBe(edited.id);

    expect(await admin.redrive({ ...by, entries: [entry] })).toEqual({
      dryRun: false,
      matched: 1,
      changed: 1,
      keys: 1,
      unchanged: [],
    });
    await app.settled();
    const { events } = await admin.search({ type: "payment.taken", limit: 10 });
    expect(events.map((event) => event.data)).toEqual([
      { orderId: "o-1", pence: 5 },
      { orderId: "o-1", pence: 7 },
    ]);
    const { acts } = await admin.audit({ limit: 10 });
    expect(acts.map(({ act, actor, reason }) => ({ act, actor, reason }))).toEqual([
      { act: "redrive", ...by },
      { act: "edit", ...by },
    ]);
  });

  it("gets the same id by the same edit, made twice, and another by another", async () => {
    const entry = await deadOrder();
    const edit = (pence: number) => admin.edit({ ...by, entry, data: { orderId: "o-1", pence } });
    const [first, again, other] = [await edit(5), await edit(5), await edit(6)];
    expect(again.id).toBe(first.id);
    expect(again.changed).toBe(0);
    expect(other.id).not.toBe(first.id);
  });

  it("is not edited when the data does not fit, or moves it to another key", async () => {
    const entry = await deadOrder();
    await expect(admin.edit({ ...by, entry, data: { orderId: "o-1", pence: "5" } })).rejects.toMatchObject({
      code: "CONTRACT_REJECTED",
      details: { path: "/pence" },
    });
    await expect(admin.edit({ ...by, entry, data: { orderId: "o-2", pence: 5 } })).rejects.toMatchObject({
      code: "CONTRACT_REJECTED",
      details: { path: "/orderId" },
    });
    await expect(admin.edit({ ...by, reason: " ", entry, data: { orderId: "o-1", pence: 5 } })).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
    expect((await admin.deadLetter({ entry })).entry.edited).toBeUndefined();
    expect((await admin.audit({ limit: 10 })).acts).toEqual([]);
  });

  it("is skipped, and its follower goes on", async () => {
    const entry = await deadOrder();
    await app.publish(orders.placed({ orderId: "o-1", pence: 7 }));
    await app.settled();
    expect(await admin.skip({ ...by, entries: [entry] })).toMatchObject({ changed: 1 });
    await app.settled();
    expect((await admin.search({ type: "payment.taken", limit: 10 })).events).toHaveLength(1);
    await expect(admin.deadLetter({ entry })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("is only counted in a dry run", async () => {
    await deadOrder("o-1");
    const entry = await deadOrder("o-2");
    const dry = { actor: "ada", reason: "", dryRun: true };
    expect(await admin.redrive({ ...dry, all: true })).toEqual({
      dryRun: true,
      matched: 2,
      changed: 0,
      keys: 2,
      unchanged: [],
    });
    expect(await admin.skip({ ...dry, consumer: "payments" })).toMatchObject({ matched: 2, changed: 0 });
    expect(await admin.edit({ ...dry, entry, data: { orderId: "o-2", pence: 5 } })).toMatchObject({ changed: 0 });
    expect((await admin.deadLetters({ limit: 10 })).entries).toHaveLength(2);
    expect((await admin.audit({ limit: 10 })).acts).toEqual([]);
  });

  it("is chosen by number, consumer or kind; nothing chosen is not everything", async () => {
    const entry = await deadOrder();
    const kind = (await admin.deadLetter({ entry })).entry.failure?.fingerprint as string;
    const dry = { actor: "ada", reason: "", dryRun: true };
    expect((await admin.redrive({ ...dry, fingerprint: kind })).matched).toBe(1);
    expect((await admin.redrive({ ...dry, fingerprint: "other" })).matched).toBe(0);
    expect((await admin.redrive({ ...dry, consumer: "mail" })).matched).toBe(0);
    await expect(admin.redrive(dry)).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await expect(admin.redrive({ ...dry, entries: [entry + 1] })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("many dead letters", () => {
  it("are redriven in a few commits, each of them once", async () => {
    await app.stop();
    const engine = embedded(dir);
    let commits = 0;
    const counting: Engine = {
      ...engine,
      open: async (context) => {
        const open = await engine.open(context);
        const { redrive } = open.operate;
        open.operate.redrive = (entries, act) => {
          commits += 1;
          return redrive(entries, act);
        };
        return open;
      },
    };
    app = trialApp({ dir, engine: counting });
    await app.start();
    admin = remoteAdmin((await readAddress(dir)) as AdminAddress, { timeoutMs: 60_000 });
    await app.publish(
      Array.from({ length: 600 }, (_, index) => orders.placed({ orderId: `o-${index}`, pence: price.rejected })),
    );
    await app.settled();
    expect(await admin.redrive({ ...by, all: true })).toMatchObject({ matched: 600, changed: 600, unchanged: [] });
    expect(commits).toBeLessThan(10);
    await app.settled();
    const { entries } = await admin.deadLetters({ limit: 1_000 });
    expect(entries).toHaveLength(600);
    expect(new Set(entries.map((entry) => entry.redrives))).toEqual(new Set([1]));
  });
});

describe("publishing", () => {
  it("stores a declared event or sends a command, checked, with the actor", async () => {
    const report = await admin.publish({ type: "order.placed", data: { orderId: "o-1", pence: 1 }, actor: "ada" });
    expect(report).toMatchObject({ kind: "event", topic: "orders" });
    const { event } = await admin.event({ id: report.kind === "event" ? report.id : "" });
    expect(event).toMatchObject({ actor: "ada", data: { orderId: "o-1", pence: 1 } });
    expect(
      await admin.publish({ type: "place-order", data: { orderId: "o-2", pence: 1 }, actor: "ada" }),
    ).toMatchObject({ kind: "command", state: "committed" });
    expect(
      await admin.publish({ type: "place-order", data: { orderId: "o-2", pence: price.refused }, actor: "ada" }),
    ).toMatchObject({ state: "refused", refused: "UNLUCKY" });
    expect(
      await admin.publish({ type: "payment.taken", data: { orderId: "o-3", pence: 1 }, actor: "ada" }),
    ).toMatchObject({ topic: "payments" });
  });

  it("refuses data that does not fit, and types that nobody declares", async () => {
    await expect(admin.publish({ type: "order.placed", data: {}, actor: "ada" })).rejects.toMatchObject({
      code: "CONTRACT_REJECTED",
      details: { path: "/orderId" },
    });
    await expect(admin.publish({ type: "order.plcd", data: {}, actor: "ada" })).rejects.toMatchObject({
      code: "CONTRACT_UNKNOWN",
      message: expect.stringContaining("order.placed"),
    });
  });

  it("changes nothing when an id comes again with the same content, and conflicts with other", async () => {
    const publish = (pence: number) =>
      admin.publish({ type: "order.placed", data: { orderId: "o-1", pence }, id: "mine", actor: "ada" });
    expect(await publish(1)).toEqual(await publish(1));
    await expect(publish(2)).rejects.toMatchObject({ code: "EVENT_ID_REUSED" });
  });
});

describe("explaining", () => {
  it("shows causes before effects, each with what consumers made of it", async () => {
    const operation = await app.send(placeOrder({ orderId: "o-1", pence: 100 }));
    await app.settled();
    const { flows } = await admin.explain({ id: operation.id });
    expect(flows).toHaveLength(1);
    const root = flows[0]?.roots[0];
    expect(root).toMatchObject({
      event: { type: "place-order" },
      deliveries: [{ consumer: "orders", state: "applied" }],
    });
    const placed = root?.effects[0];
    expect(placed).toMatchObject({
      event: { type: "order.placed" },
      deliveries: [{ consumer: "payments", state: "applied" }],
    });
    expect(placed?.effects[0]).toMatchObject({
      event: { type: "payment.taken" },
      deliveries: [{ consumer: "mail", state: "applied" }],
    });
    expect((await admin.explain({ id: placed?.effects[0]?.event.id as string })).flows).toEqual(flows);
    expect((await admin.explain({ key: "o-1" })).flows).toEqual(flows);
  });

  it("hangs what an edited event caused below the event it stands for", async () => {
    const entry = await deadOrder();
    const { id } = await admin.edit({ ...by, entry, data: { orderId: "o-1", pence: 5 } });
    expect((await admin.explain({ id })).flows[0]?.roots[0]?.deliveries).toMatchObject([
      { state: "dead", entry, failure: { message: expect.stringContaining("666") } },
    ]);
    await admin.redrive({ ...by, entries: [entry] });
    await app.settled();
    const root = (await admin.explain({ key: "o-1" })).flows[0]?.roots[0];
    expect(root?.deliveries).toEqual([{ consumer: "payments", state: "applied", edited: id }]);
    expect(root?.effects[0]).toMatchObject({ event: { type: "payment.taken", causationId: id } });
  });

  it("knows nothing of what does not exist", async () => {
    await expect(admin.explain({ id: "nope" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(admin.explain({ key: "nope" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(admin.explain({})).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });
});

describe("following", () => {
  it("begins with the last events, and waits for what comes", async () => {
    for (const orderId of ["o-1", "o-2", "o-3"]) await app.publish(orders.placed({ orderId, pence: 1 }));
    await app.settled();
    const query = { type: "order.*" };
    const begin = await admin.tail({ query, last: 2 });
    expect(begin.events.map((event) => event.key)).toEqual(["o-2", "o-3"]);
    const coming = admin.tail({ query, after: begin.cursor, waitMs: 20_000 });
    await app.publish(orders.placed({ orderId: "o-4", pence: 1 }));
    const next = await coming;
    expect(next.events.map((event) => event.key)).toEqual(["o-4"]);
    expect((await admin.tail({ query, after: next.cursor })).events).toEqual([]);
  });

  it("is answered at once when the app stops", async () => {
    const begin = await admin.tail({ query: {} });
    const coming = admin.tail({ query: {}, after: begin.cursor, waitMs: 20_000 });
    // The wait has begun when the server knows of the request.
    await vi.waitFor(async () => expect((await admin.status()).from).toBe("process"), 15_000);
    await app.stop();
    expect((await coming).events).toEqual([]);
  });
});

describe("forgetting a consumer", () => {
  it("is refused while the app declares it, and done when forced", async () => {
    await expect(admin.forget({ ...by, consumer: "mail" })).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(admin.forget({ ...by, consumer: "nobody" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await admin.forget({ ...by, consumer: "mail", force: true, dryRun: true })).toMatchObject({ changed: 0 });
    expect(await admin.forget({ ...by, consumer: "mail", force: true })).toMatchObject({ changed: 1 });
    expect((await admin.consumers()).consumers.map(({ consumer }) => consumer).sort()).toEqual(["orders", "payments"]);
  });
});

describe("the file alone", () => {
  it("shows all there is, and every act says that the app must run", async () => {
    const entry = await deadOrder();
    await app.stop();
    const { inspect, close } = openReadOnly(dir);
    try {
      const file = fileAdmin({ inspect, dir, stored: "file", now: () => Date.now() });
      expect(await file.status()).toMatchObject({ from: "file", pid: undefined, dead: 1, consumers: { unknown: 3 } });
      expect((await file.deadLetter({ entry })).entry.event.key).toBe("o-1");
      expect((await file.tail({ query: {}, last: 1 })).events).toHaveLength(1);
      const cursor = (await file.tail({ query: {} })).cursor;
      expect((await file.tail({ query: {}, after: cursor, waitMs: 20_000 })).events).toEqual([]);
      expect((await file.doctor()).findings.find(({ check }) => check === "integrity")?.ok).toBe(true);
      const acts = [
        file.redrive({ ...by, all: true }),
        file.skip({ ...by, all: true }),
        file.edit({ ...by, entry, data: {} }),
        file.forget({ ...by, consumer: "mail" }),
        file.publish({ type: "order.placed", data: {}, actor: "ada" }),
        file.backup({ file: join(dir, "copy.db") }),
      ];
      for (const act of acts) await expect(act).rejects.toMatchObject({ code: "PROCESS_MISSING" });
    } finally {
      close();
    }
  });
});

describe("a backup", () => {
  it("is a file that opens, made while the app runs; an existing file is left alone", async () => {
    await app.publish(orders.placed({ orderId: "o-1", pence: 1 }));
    await app.settled();
    const copy = mkdtempSync(join(tmpdir(), "millrace-copy-"));
    const file = join(copy, "millrace.db");
    expect(await admin.backup({ file })).toMatchObject({ file, bytes: expect.any(Number) });
    const { inspect, close } = openReadOnly(copy);
    expect((await inspect.events({ limit: 10 })).events).toHaveLength(2);
    close();
    await expect(admin.backup({ file })).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(admin.backup({ file: "relative.db" })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    rmSync(copy, { recursive: true });
  });
});
