import { copyFileSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, otherProgram, Trial, tempFolder, trial } from "../testing/trial.js";
import { openReadOnly } from "./read-only.js";
import { formatVersion } from "./schema.js";

afterEach(endTrials);

const steps = topic("steps", { key: "key", events: { taken: event("step.taken", z.object({ key: z.string() })) } });
const owner = () => service("owner").owns(steps);

/** A folder with a file that was closed in order. */
async function stored(): Promise<string> {
  const dir = tempFolder();
  const t = await trial([owner()], { dir });
  for (let n = 0; n < 50; n += 1) await t.app.publish(steps.taken({ key: `k${n}` }));
  await t.stop();
  return dir;
}
const open = (dir: string) => trial([owner()], { dir });

describe("a file", () => {
  it("of another format is refused, and stays as it is", async () => {
    const dir = await stored();
    otherProgram(dir, (database) => database.exec(`PRAGMA user_version = ${formatVersion + 1}`));
    await expect(open(dir)).rejects.toMatchObject({
      code: "STORE_FORMAT",
      message: expect.stringMatching(new RegExp(`format ${formatVersion + 1}.*format ${formatVersion}`)),
    });
    otherProgram(dir, (database) => database.exec(`PRAGMA user_version = ${formatVersion}`));
    const t = await open(dir);
    expect((await t.running.engine.inspect.events({ limit: 99 })).events).toHaveLength(50);
  });

  it("of SQLite that is somebody else's is refused, and nothing is written into it", async () => {
    const dir = tempFolder();
    otherProgram(dir, (database) => database.exec("CREATE TABLE theirs(id); INSERT INTO theirs VALUES (1)"));
    await expect(open(dir)).rejects.toMatchObject({
      code: "STORE_FORMAT",
      message: expect.stringContaining("not one of Millrace"),
    });
    const tables = otherProgram(dir, (database) => database.prepare("SELECT name FROM sqlite_schema").all());
    expect(tables).toMatchObject([{ name: "theirs" }]);
  });

  it("that is no database is refused, and stays as it is", async () => {
    const dir = tempFolder();
    const text = "this is not a database, and long enough to be read as a header of one".repeat(20);
    writeFileSync(join(dir, "millrace.db"), text);
    await expect(open(dir)).rejects.toMatchObject({ code: "STORE_DAMAGED" });
    expect(readFileSync(join(dir, "millrace.db"), "utf8")).toBe(text);
  });

  it("that was emptied after it was used is refused, by the app and by the command line", async () => {
    const dir = await stored();
    truncateSync(join(dir, "millrace.db"));
    const refusal = { code: "STORE_DAMAGED", message: expect.stringMatching(/millrace\.db is empty.*backup/) };
    for (let again = 0; again < 2; again += 1) await expect(open(dir)).rejects.toMatchObject(refusal);
    expect(() => openReadOnly(dir)).toThrow(expect.objectContaining(refusal));
    expect(statSync(join(dir, "millrace.db")).size).toBe(0);
  });

  it.each(["emptied", "removed"])(
    "that was %s beside its write-ahead log is refused, and the log stays",
    async (how) => {
      const running = tempFolder();
      const t = await trial([owner()], { dir: running });
      await t.app.publish(steps.taken({ key: "k" }));
      // As a killed process leaves it.
      const dir = tempFolder();
      copyFileSync(join(running, "millrace.db-wal"), join(dir, "millrace.db-wal"));
      if (how === "emptied") writeFileSync(join(dir, "millrace.db"), "");
      const { size } = statSync(join(dir, "millrace.db-wal"));
      await expect(open(dir)).rejects.toMatchObject({ code: "STORE_DAMAGED" });
      expect(() => openReadOnly(dir)).toThrow(expect.objectContaining({ code: "STORE_DAMAGED" }));
      expect(statSync(join(dir, "millrace.db-wal")).size).toBe(size);
    },
  );

  it("that a first start left empty when it was killed is begun anew", async () => {
    const dir = tempFolder();
    writeFileSync(join(dir, "owner.json"), JSON.stringify({ pid: 1 }));
    writeFileSync(join(dir, "millrace.lock"), "");
    writeFileSync(join(dir, "millrace.db"), "");
    await expect(open(dir)).resolves.toBeInstanceOf(Trial);
  });

  it("that was cut off is refused, or read without what is gone: never with a gap that nobody notices", async () => {
    const dir = await stored();
    const file = join(dir, "millrace.db");
    copyFileSync(file, `${file}.whole`);
    const { length } = readFileSync(file);
    for (const share of [0.05, 0.3, 0.6, 0.95]) {
      copyFileSync(`${file}.whole`, file);
      truncateSync(file, Math.floor(length * share));
      const opened = await open(dir).catch((error: unknown) => error);
      if (opened instanceof Trial) {
        const checks = await opened.running.engine.inspect.doctor();
        expect(checks.some((check) => !check.ok)).toBe(true);
        await opened.stop();
      } else expect(opened).toMatchObject({ code: expect.stringMatching(/^STORE_(DAMAGED|FORMAT)$/) });
    }
  });
});
