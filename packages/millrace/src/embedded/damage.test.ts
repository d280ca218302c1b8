import { copyFileSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { isFailure } from "../failure/failure.js";
import { seededRandom } from "../runtime/random.js";
import { service } from "../service/declare.js";
import { endTrials, Trial as NewTrial, otherProgram, type Trial, tempFolder } from "../testing/trial.js";
import { openReadOnly } from "./read-only.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int(), text: z.string() });
const steps = topic("steps", {
  key: "key",
  partitions: 1,
  events: { taken: event("step.taken", Step), other: event("step.other", Step) },
});
const host = service("host").owns(steps);
const total = 400;

/** A file with the log of 400 events in 40 blocks, closed in order. */
async function written(): Promise<string> {
  const dir = tempFolder();
  const t = new NewTrial([host], { dir });
  await t.app.start();
  await publishAll(t);
  await t.stop();
  return dir;
}

async function publishAll(t: Trial): Promise<void> {
  for (let n = 0; n < total; n += 10)
    await t.app.publish(
      Array.from({ length: 10 }, (_, index) => {
        return steps.taken({ key: `key-${index % 3}`, n: n + index, text: "x".repeat(300) });
      }),
    );
}

/** What a program that hears everything from the beginning makes of the file: refused, stopped, or done. */
async function heardOf(dir: string) {
  const heard: number[] = [];
  const hearing = service("hearing").on(steps.taken, { from: "beginning" }, ({ data }) => void heard.push(data.n));
  const t: Trial = new NewTrial([host, hearing], { dir });
  try {
    await t.app.start();
    await t.until(() => heard.length === total || t.status("hearing").state === "stopped");
    const { state, failure } = t.status("hearing");
    return { heard, end: state === "stopped" ? failure?.code : "done" };
  } catch (error) {
    return { heard, end: isFailure(error) ? error.code : String(error) };
  } finally {
    await t.stop();
  }
}

/** Each key's events up to some moment, none left out: what was handled before the damage was found. */
function assertPrefix(heard: readonly number[]): void {
  for (let key = 0; key < 3; key += 1) {
    const ofKey = (n: number) => (n % 10) % 3 === key;
    const all = Array.from({ length: total }, (_, n) => n).filter(ofKey);
    const some = heard.filter(ofKey);
    expect(some).toEqual(all.slice(0, some.length));
  }
}

describe("a file of which a bit has flipped", () => {
  it("is refused, or read up to the damage, or not touched by it: no event is lost or changed", async () => {
    const sound = await written();
    const bytes = readFileSync(join(sound, "millrace.db"));
    const random = seededRandom(20_261_121);
    const ends = new Map<string, number>();
    for (let round = 0; round < 30; round += 1) {
      const dir = join(sound, `flip-${round}`);
      mkdirSync(dir);
      const flipped = Buffer.from(bytes);
      const at = Math.floor(random.next() * bytes.length);
      flipped[at] = (flipped[at] as number) ^ (1 << Math.floor(random.next() * 8));
      writeFileSync(join(dir, "millrace.db"), flipped);
      const { heard, end = "stopped" } = await heardOf(dir);
      assertPrefix(heard);
      if (end === "done") expect(heard).toHaveLength(total);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    console.log("bit flips:", Object.fromEntries(ends));
    expect(ends.get("STORE_DAMAGED")).toBeGreaterThan(3);
  }, 120_000);
});

describe("a file of whose write-ahead log a bit has flipped after its process was killed", () => {
  it("is refused, or lacks nothing but the last commit, which may never have been whole", async () => {
    const running = tempFolder();
    const t = new NewTrial([host], { dir: running });
    await t.app.start();
    await publishAll(t);
    const files = ["millrace.db", "millrace.db-wal"] as const;
    const [bytes, log] = files.map((name) => readFileSync(join(running, name))) as [Buffer, Buffer];
    const random = seededRandom(20_261_122);
    const ends = new Map<string, number>();
    for (let round = 0; round < 40; round += 1) {
      const dir = join(running, `flip-${round}`);
      mkdirSync(dir);
      const flipped = Buffer.from(log);
      // The header first, byte by byte.
      const at = round < 8 ? round * 4 + 3 : Math.floor(random.next() * log.length);
      flipped[at] = (flipped[at] as number) ^ (1 << Math.floor(random.next() * 8));
      writeFileSync(join(dir, files[0]), bytes);
      writeFileSync(join(dir, files[1]), flipped);
      const { heard, end = "stopped" } = await heardOf(dir);
      assertPrefix(heard);
      if (end === "done") expect(heard.length, `byte ${at}`).toBe(total);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    console.log("bit flips in the log:", Object.fromEntries(ends));
    expect(ends.get("STORE_DAMAGED")).toBeGreaterThan(30);
  }, 120_000);
});

it("a file that was cut off is refused", async () => {
  const sound = await written();
  const file = join(sound, "millrace.db");
  const random = seededRandom(7);
  for (let round = 0; round < 10; round += 1) {
    const dir = join(sound, `cut-${round}`);
    mkdirSync(dir);
    copyFileSync(file, join(dir, "millrace.db"));
    truncateSync(join(dir, "millrace.db"), 1 + Math.floor(random.next() * (statSync(file).size - 1)));
    const { heard, end } = await heardOf(dir);
    assertPrefix(heard);
    expect(end).not.toBe("done");
  }
}, 60_000);

it.each([
  ["a block that is gone", "DELETE FROM mr_log WHERE pos = (SELECT pos FROM mr_log ORDER BY pos LIMIT 1 OFFSET 3)"],
  ["the last blocks are gone", "DELETE FROM mr_log WHERE pos >= (SELECT max(pos) FROM mr_log)"],
  [
    "an event's type has changed, so that nobody would hear it",
    `UPDATE mr_log SET body = replace(body, '.taken', '.other')`,
  ],
  ["an event's partition has changed", `UPDATE mr_log SET body = replace(body, '",0,"', '",1,"')`],
  ["a block's time has changed", "UPDATE mr_log SET appended = appended + 1"],
  ["line breaks are gone", "UPDATE mr_log SET body = replace(body, char(10), ' ')"],
])("%s: readers stop, search and doctor say so", async (what, damage) => {
  const dir = await written();
  expect(otherProgram(dir, (database) => Number(database.prepare(damage).run().changes))).toBeGreaterThan(0);
  const { heard, end } = await heardOf(dir);
  assertPrefix(heard);
  // A log whose end is cut off is a shorter log: whoever was further says so, and a new reader cannot.
  if (what === "the last blocks are gone") return;
  expect([end, heard.length < total]).toEqual(["STORE_DAMAGED", true]);
  if (what === "a block that is gone") return;
  const { inspect, close } = openReadOnly(dir);
  try {
    expect(() => inspect.events({ limit: 1_000 })).toThrow("is not as it was written");
    const findings = await inspect.doctor();
    expect(findings.find(({ check }) => check === "log")).toMatchObject({ ok: false });
  } finally {
    close();
  }
});
