import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { embedded } from "../embedded/embedded.js";
import { type MillraceApp, millrace } from "../main/millrace.js";
import { silentLogger } from "../runtime/logger.js";
import { fulfilment, orders, shop } from "../testing/trial-shop.js";
import { run } from "./program.js";

let dir: string;
let app: MillraceApp;
let printed: string[];
let noted: string[];
const saga = fulfilment();
/** So often reserving dies before it succeeds. */
let dying = 0;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "millrace-sagas-"));
  dying = Number.POSITIVE_INFINITY;
  const services = shop({
    saga: fulfilment(),
    fates: (type, _, n) => (type === "reserve" && n <= dying ? "dies" : "done"),
  });
  app = millrace({ services, engine: embedded(dir), logger: silentLogger, signals: false });
  await app.start();
  await app.publish(orders.placed({ orderId: "o-1", pence: 100 }));
  await app.settled();
  printed = [];
  noted = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => printed.push(String(text)) > 0);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => noted.push(String(text)) > 0);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await app.stop();
  rmSync(dir, { recursive: true, force: true });
});

const millraced = (...args: readonly string[]) => run(["sagas", ...args, "--dir", dir, "--no-input"], "0.0.0");
const json = <T>() => JSON.parse(printed.join("")) as T;

it("lists, shows and retries", async () => {
  expect(await millraced("ls")).toBe(0);
  expect(printed.join("")).toMatch(/^SAGA +KEY +STATUS +STEP +AGE +QUIET FOR +WHY\nfulfilment +o-1 +stuck +reserve/);
  printed = [];
  expect(await millraced("ls", "fulfilment", "--status", "stuck", "-o", "jsonl")).toBe(0);
  expect(json()).toMatchObject({
    saga: "fulfilment",
    service: "orders",
    key: "o-1",
    status: "stuck",
    current: ["reserve"],
  });
  printed = [];
  expect(await millraced("show", saga.name, "o-1")).toBe(0);
  expect(printed.join("")).toMatch(
    /status +stuck\n[\s\S]*step +reserve stuck, command 1: EVENT_REJECTED: never\n[\s\S]* started [\s\S]* stuck reserve/,
  );
  printed = [];
  expect(await run(["check", "--dead-letters", "9", "--lag", "1h", "--dir", dir], "0.0.0")).toBe(10);
  expect(printed.join("")).toContain(
    "saga fulfilment is stuck at o-1 (reserve): see millrace sagas ls fulfilment --status stuck",
  );
  printed = [];
  dying = 0;
  expect(await millraced("retry", "fulfilment", "o-1", "--reason", "mended")).toBe(0);
  expect(printed.join("")).toBe("fulfilment o-1: redriven reserve\n");
  await app.settled();
  printed = [];
  await millraced("show", "fulfilment", "o-1", "-o", "json");
  expect(json()).toMatchObject({ instance: { status: "completed" } });
});

it("says what would follow, and asks for a reason", async () => {
  expect(await millraced("compensate", "fulfilment", "o-1", "--dry-run")).toBe(0);
  expect(printed.join("")).toBe("would compensate fulfilment o-1: late reserve, aborting, undoing pay\n");
  expect(await millraced("compensate", "fulfilment", "o-1")).toBe(2);
  expect(noted.join("")).toContain("--reason");
  printed = [];
  expect(await millraced("compensate", "fulfilment", "o-1", "--reason", "a test", "-o", "json")).toBe(0);
  expect(json()).toMatchObject({ changed: 1, matched: 1, dryRun: false });
});

it.each<[string, readonly string[], number, RegExp]>([
  ["an instance that is not there", ["show", "fulfilment", "o-9"], 3, /no instance "o-9"/],
  ["a saga that is not there", ["retry", "refunds", "o-1", "--reason", "x"], 3, /declares no saga "refunds"/],
  ["a step that is not stuck", ["retry", "fulfilment", "o-1", "--step", "pay", "--reason", "x"], 4, /step pay is done/],
  ["a list of a saga that is not there", ["ls", "nope"], 3, /no saga "nope" has begun here; there are fulfilment/],
  [
    "a step that it does not have",
    ["skip", "fulfilment", "o-1", "--step", "nope", "--reason", "x"],
    4,
    /has no step "nope"; its steps are pay, reserve, ship/,
  ],
  ["an end that is none", ["force", "fulfilment", "o-1", "--as", "done", "--reason", "x"], 2, /completed or aborted/],
  ["a status that is none", ["ls", "--status", "stucked"], 2, /early|running/],
])("exits with what is wrong with %s", async (_, args, code, message) => {
  expect(await millraced(...args)).toBe(code);
  expect(noted.join("")).toMatch(message);
});

it("reads the file while nothing runs", async () => {
  await app.stop();
  expect(await millraced("ls", "-o", "json")).toBe(0);
  expect(json()).toMatchObject({ from: "file", sagas: [{ key: "o-1", status: "stuck" }] });
  expect(await millraced("retry", "fulfilment", "o-1", "--reason", "x")).toBe(6);
});
