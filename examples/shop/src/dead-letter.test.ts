import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { embedded } from "millrace";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Rehearsal, rehearse, styles } from "./rehearsal.js";

const run = promisify(execFile);
const command = join(dirname(createRequire(import.meta.url).resolve("millrace/package.json")), "dist/cli/main.js");

let dir: string;
let shop: Rehearsal;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-shop-"));
});

afterEach(async () => {
  await shop.stop();
  await rm(dir, { recursive: true });
});

/** The command line as an operator uses it: a process of its own that finds the running shop by its folder. */
async function millrace(...args: readonly string[]): Promise<unknown> {
  const { stdout } = await run(process.execPath, [command, ...args, "--dir", dir, "-o", "json", "--no-input"]);
  return stdout.trim() === "" ? undefined : JSON.parse(stdout);
}

interface DeadLetter {
  readonly entry: number;
  readonly consumer: string;
  readonly event: { readonly key: string };
  readonly failure: { readonly code: string };
}

async function deadLetters(): Promise<readonly DeadLetter[]> {
  return ((await millrace("dead-letters", "ls")) as { readonly entries: readonly DeadLetter[] }).entries;
}

describe.each(styles)("$fulfilment, orders as $orders", (style) => {
  it("an order with an address that cannot be printed waits, in order, until an operator mends and redrives it", async () => {
    shop = await rehearse({ style, engine: embedded(dir) });
    const deliverTo = { name: "Ada", street: "1 Mill Lane", postcode: "n1 9gu" };
    await shop.place({ orderId: "unprintable", deliverTo });
    await shop.place({ orderId: "printable", deliverTo: { ...deliverTo, postcode: "N1 9GU" } });

    // Everybody else has done their part, and other orders are through: only the warehouse holds this one.
    expect(await shop.order("printable")).toMatchObject({ status: "shipped" });
    expect(await shop.order("unprintable")).toMatchObject({ status: "confirmed" });
    const [letter, ...more] = await deadLetters();
    expect(more).toEqual([]);
    const failure = { code: "EVENT_REJECTED" };
    expect(letter).toMatchObject({ consumer: "warehouse", event: { key: "unprintable" }, failure });

    const entry = String(letter?.entry);
    await millrace("dead-letters", "edit", entry, "--set", "deliverTo.postcode=N1 9GU", "--reason", "asked Ada");
    await millrace("dead-letters", "redrive", entry, "--reason", "postcode mended");

    // What died runs with the new address, then what had waited behind it: order.confirmed, or the rest of the saga.
    expect(await shop.order("unprintable")).toMatchObject({ status: "shipped", shipmentId: expect.any(String) });
    expect(await deadLetters()).toEqual([]);
  });
});
