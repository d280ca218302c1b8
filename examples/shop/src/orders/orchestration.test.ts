import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { embedded } from "millrace";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Rehearsal, rehearse, styles } from "../rehearsal.js";
import { fulfilment } from "./orchestration.js";

let dir: string;
let shop: Rehearsal;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-shop-"));
});
afterEach(() => shop.stop());
afterAll(() => rm(dir, { recursive: true }));

/** What the saga did, in a word or two for each act: "sent pay". */
async function course(orderId: string): Promise<readonly string[]> {
  const instance = await shop.app.saga(fulfilment).get(orderId);
  return (instance?.history ?? []).map(({ type, step }) => (step === undefined ? type : `${type} ${step}`));
}

describe.each(styles.filter(({ fulfilment: by }) => by === "orchestrated"))("orders as $orders", (style) => {
  it("leads an order from step to step", async () => {
    shop = await rehearse({ style });
    await shop.place({ orderId: "o-1" });
    await shop.app.settled();
    const steps = ["check", "pay", "reserve", "confirm", "pack", "ship"];
    expect(await course("o-1")).toEqual([
      "started",
      ...steps.flatMap((step) => [`sent ${step}`, `done ${step}`]),
      "completed",
    ]);
  });

  it("takes back what was done when stock is short, and only then cancels the order, with what inventory said", async () => {
    const rules = { guestPenceMax: 1_000_000, abroadPenceMax: 1_000_000 };
    shop = await rehearse({ style, rules });
    await shop.place({ orderId: "o-1", lines: [{ sku: "globe-antique", quantity: 12 }] });
    const cancelled = { reason: "stock", detail: "not enough globe-antique" };
    expect(await shop.order("o-1")).toMatchObject({ status: "cancelled", cancelled });
    expect((await course("o-1")).slice(5)).toEqual([
      "sent reserve",
      "failed reserve",
      "aborting",
      "undoing pay",
      "undone pay",
      "aborted",
    ]);
  });

  it("waits for the parcel under way when the customer cancels, and goes back from there", async () => {
    shop = await rehearse({ style, missing: "warehouse", engine: embedded(join(dir, style.orders)) });
    await shop.place({ orderId: "o-1" });
    await shop.app.settled();
    await shop.request("POST", "/orders/o-1/cancel", {});
    await shop.app.settled();
    expect((await course("o-1")).slice(-2)).toEqual(["sent pack", "aborting"]);
    await shop.reopen();
    await shop.app.settled();
    expect((await course("o-1")).slice(-8)).toEqual([
      "done pack",
      "undoing pack",
      "undone pack",
      "undoing reserve",
      "undone reserve",
      "undoing pay",
      "undone pay",
      "aborted",
    ]);
  });
});
