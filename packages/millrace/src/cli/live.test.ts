import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { price } from "../main/trial-app.js";
import { type Ran, Trial } from "./trial.js";

/** One app for all of these: each test uses keys of its own. */
const trial = new Trial();
let url: string;
beforeAll(async () => {
  url = await trial.start();
});
afterAll(() => trial.remove());

/** Processes take their time on a busy machine. */
vi.setConfig({ testTimeout: 120_000 });
const eventually = <T>(condition: () => Promise<T>): Promise<T> =>
  vi.waitFor(condition, { timeout: 20_000, interval: 20 });
const order = (orderId: string, pence: number) => JSON.stringify({ orderId, pence });

/** What a command printed as JSON. */
async function json<T>(...args: readonly string[]): Promise<T> {
  const ran = await trial.run(...args, "-o", "json");
  expect(ran.stderr).toBe("");
  return JSON.parse(ran.stdout) as T;
}

interface Letter {
  readonly entry: number;
  readonly event: { readonly id: string; readonly key: string };
}

/** The entry of the dead letter of a key, once it is one. */
async function deadLetter(orderId: string): Promise<Letter> {
  return eventually(async () => {
    const { entries } = await json<{ entries: Letter[] }>("dead-letters", "ls");
    const letter = entries.find(({ event }) => event.key === orderId);
    expect(letter).toBeDefined();
    return letter as Letter;
  });
}

describe("publish", () => {
  it("stores an event given as an argument, from a file and on standard input", async () => {
    const ran = await trial.run("publish", "order.placed", order("p-1", 1));
    expect(ran).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^published order\.placed \S{36} to orders\/\d@\d+\n$/),
      stderr: "",
    });
    const piped = await trial.runWith(
      { input: order("p-2", 1) },
      "publish",
      "order.placed",
      "--dir",
      trial.dir,
      "-o",
      "json",
    );
    expect(JSON.parse(piped.stdout)).toMatchObject({ kind: "event", topic: "orders" });
    const dash = await trial.runWith({ input: order("p-3", 1) }, "publish", "order.placed", "-", "--dir", trial.dir);
    expect(dash.code).toBe(0);
  });

  it("sends a command, and exits 9 when it is refused", async () => {
    expect(await trial.run("publish", "place-order", order("p-4", 1))).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^committed place-order/),
    });
    const refused = await trial.run("publish", "place-order", order("p-5", price.refused));
    expect(refused).toMatchObject({
      code: 9,
      stderr: "millrace: place-order was refused: thirteen is not sold here (COMMAND_REFUSED)\n",
    });
  });

  it.each<[string, string[], number, string]>([
    ["data that does not fit", ["order.placed", '{"orderId":"p-6"}'], 9, "/pence"],
    ["a type that nobody declares", ["order.palced", "{}"], 3, "order.palced"],
    ["no JSON", ["order.placed", "{"], 2, "is not JSON"],
    ["a file that is not there", ["order.placed", "@/nowhere.json"], 3, "/nowhere.json"],
    ["no type", [], 2, "missing required argument"],
  ])("refuses %s", async (_, args, code, text) => {
    const ran = await trial.run("publish", ...args);
    expect(ran).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(text) });
  });

  it("exits 4 when an id comes back with other content", async () => {
    expect((await trial.run("publish", "order.placed", order("p-7", 1), "--id", "mine")).code).toBe(0);
    expect((await trial.run("publish", "order.placed", order("p-7", 1), "--id", "mine")).code).toBe(0);
    expect((await trial.run("publish", "order.placed", order("p-7", 2), "--id", "mine")).code).toBe(4);
  });
});

describe("events, explain and tail", () => {
  it("finds events by a query, prints one, and explains its flow", async () => {
    await fetch(`${url}/orders`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: order("e-1", 700),
    });
    const found = await eventually(async () => {
      const answer = await json<{ events: { id: string; type: string }[] }>(
        "events",
        "search",
        "key:e-1",
        "data.pence>500",
        "since:1h",
      );
      expect(answer.events.map((event) => event.type)).toEqual(["payment.taken", "order.placed", "place-order"]);
      return answer.events;
    });
    const lines = (await trial.run("events", "search", "key:e-1 type:order.*", "-o", "jsonl")).stdout
      .trim()
      .split("\n");
    expect(lines.map((line) => JSON.parse(line).type)).toEqual(["order.placed"]);

    const got = await trial.run("events", "get", found[1]?.id as string);
    expect(got.stdout).toContain('"pence": 700');
    expect(got.stdout).toContain("applied: payments");

    for (const target of [found[0]?.id as string, "key:e-1"]) {
      const explained = await eventually(async () => {
        const ran = await trial.run("explain", target);
        expect(ran.stdout).toContain("applied: mail");
        return ran;
      });
      expect(explained.stdout).toMatch(/flow \S{36}: 3 events from 3 sources/);
      expect(explained.stdout).toMatch(
        /place-order {2}e-1.*\n│ applied: orders\n└─ order\.placed {2}e-1 {2}by orders.*\n {3}│ applied: payments\n {3}└─ payment\.taken/,
      );
      expect(explained.stderr).toMatch(/^as of \d\d:\d\d:\d\d\.\d{3} UTC, from the running process\n$/);
    }
  });

  it("exits 3 for what does not exist, 2 for a query that cannot be read", async () => {
    expect((await trial.run("events", "get", "nope")).code).toBe(3);
    expect((await trial.run("explain", "nope")).code).toBe(3);
    expect(await trial.run("events", "search", "colour:red")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('"colour:red"'),
    });
    expect((await trial.run("events", "search", "--limit", "0")).code).toBe(2);
  });

  it("follows what is committed", async () => {
    const tail = trial.run("tail", "key:t-1", "type:order.*", "--last", "0", "--limit", "2", "-o", "jsonl");
    // Publishing until the tail has seen two: it listens from some moment on that only it knows.
    let ran: Ran | undefined;
    const ended = tail.then((result) => {
      ran = result;
    });
    while (ran === undefined) await Promise.race([ended, trial.run("publish", "order.placed", order("t-1", 1))]);
    expect(ran.code).toBe(0);
    expect(
      ran.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).type),
    ).toEqual(["order.placed", "order.placed"]);
  });
});

describe("consumers", () => {
  it("are listed with their verdict and lag, and shown with their positions", async () => {
    const listed = await trial.run("consumers", "ls");
    expect(listed.stdout).toMatch(/^CONSUMER +VERDICT +LAG +EVENTS +IN FLIGHT/);
    expect(listed.stdout).toMatch(/^mail +ok +0 +0 +0/m);
    const shown = await trial.run("consumers", "show", "payments");
    expect(shown.stdout).toMatch(/^position +orders\/0 /m);
    expect((await trial.run("consumers", "show", "nobody")).code).toBe(3);
  });

  it("are paused and resumed, with a reason", async () => {
    const pause = (...more: string[]) => trial.run("consumers", "pause", "mail", "--no-input", ...more);
    expect((await pause()).code).toBe(2);
    expect(await pause("--dry-run")).toMatchObject({ code: 0, stdout: "would pause mail\n" });
    expect(await pause("--reason", "full")).toMatchObject({ code: 0, stdout: "paused mail\n", stderr: "" });
    expect((await pause("--reason", "again")).stdout).toBe("mail is paused already\n");
    const { consumers } = await json<{ consumers: { consumer: string; verdict: string; reason: string }[] }>(
      "consumers",
    );
    expect(consumers.find(({ consumer }) => consumer === "mail")).toMatchObject({
      verdict: "paused",
      reason: expect.stringMatching(/^by cli:.* since 20.*: full; \d+ events wait$/),
    });
    expect((await trial.run("consumers", "resume", "mail", "--reason", "emptied")).stdout).toBe("resumed mail\n");
    expect((await trial.run("consumers", "resume", "mail", "--reason", "again")).stdout).toBe("mail is not paused\n");
    expect((await trial.run("consumers", "pause", "liam", "--reason", "r")).code).toBe(3);
  });

  it("are moved to another place, after a dry run that counts", async () => {
    await trial.run("publish", "order.placed", order("s-1", 1));
    const seek = (...more: string[]) => trial.run("consumers", "seek", "mail", "--no-input", ...more);
    await eventually(async () => {
      expect((await seek("--to", "beginning", "--dry-run")).stderr).toMatch(
        /^would handle [1-9]\d* events? again, and/,
      );
    });
    expect((await seek("--to", "1h", "--dry-run")).stdout).toMatch(/^payments\/0 +\d+ +0 +\d+ +0 +0 +0$/m);
    expect((await seek("--to", "0", "--partition", "0", "--dry-run")).stdout).toMatch(
      /^PARTITION.*\npayments\/0 .*\n$/,
    );
    expect((await seek("--to", "beginning")).code).toBe(2);
    expect((await seek("--to", "later", "--reason", "r")).code).toBe(2);
    expect((await seek("--reason", "r")).code).toBe(2);
    expect(await seek("--to", "beginning", "--mute", "--reason", "lost mails")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^moved mail: it is to handle \d+ events? again, muted, and skip 0\n$/),
    });
    expect((await trial.run("consumers", "show", "mail")).stdout).toContain("generation 2");
    expect((await trial.run("consumers", "seek", "liam", "--to", "end", "--reason", "r")).code).toBe(3);
  });

  it("are not forgotten while the app declares them, nor without a reason", async () => {
    expect((await trial.run("consumers", "forget", "mail", "--reason", "a test")).code).toBe(4);
    expect((await trial.run("consumers", "forget", "mail", "--force")).code).toBe(2);
    expect((await trial.run("consumers", "forget", "mail", "--force", "--dry-run")).code).toBe(0);
    expect((await trial.run("consumers", "forget", "nobody", "--reason", "a test")).code).toBe(3);
  });
});

describe("dead-letters", () => {
  it("are edited and redriven, and everything behind them goes on", async () => {
    await trial.run("publish", "order.placed", order("d-1", price.dead));
    const { entry } = await deadLetter("d-1");
    await trial.run("publish", "order.placed", order("d-1", 8));
    const number = String(entry);
    expect((await trial.run("dead-letters", "show", number)).stdout).toContain("the provider does not take 666");
    expect(await trial.run("dead-letters", "edit", number, "--set", "pence=free", "--reason", "r")).toMatchObject({
      code: 9,
      stderr: expect.stringContaining("/pence"),
    });
    expect((await trial.run("dead-letters", "edit", number, "--set", "pence=5", "--dry-run")).stdout).toContain(
      "would edit",
    );
    expect(await trial.run("dead-letters", "edit", number, "--data", order("d-1", 6), "--reason", "r")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^edited \d+, new id \S{36}/),
    });
    expect((await trial.run("dead-letters", "redrive", number, "--dry-run")).stdout).toBe(
      "would redrive 1 dead letter in 1 lane\n",
    );
    expect(await trial.run("dead-letters", "redrive", number, "--reason", "mended")).toMatchObject({
      code: 0,
      stdout: "redrove 1 of 1 dead letter in 1 lane\n",
    });
    await eventually(async () => {
      const { events } = await json<{ events: { data: unknown }[] }>(
        "events",
        "search",
        "key:d-1",
        "type:payment.taken",
        "--oldest-first",
      );
      expect(events.map((event) => event.data)).toEqual([
        { orderId: "d-1", pence: 6 },
        { orderId: "d-1", pence: 8 },
      ]);
    });
    expect((await trial.run("explain", "key:d-1")).stdout).toContain("applied: payments (edited)");
  });

  it("are skipped with a reason, and only those that are named", async () => {
    await trial.run("publish", "order.placed", order("d-2", price.dead));
    const number = String((await deadLetter("d-2")).entry);
    expect((await trial.run("dead-letters", "skip", number)).code).toBe(2);
    expect((await trial.run("dead-letters", "skip", "--reason", "r")).code).toBe(2);
    expect((await trial.run("dead-letters", "skip", number, "--all", "--reason", "r")).code).toBe(2);
    expect((await trial.run("dead-letters", "skip", "one", "--reason", "r")).code).toBe(2);
    expect(await trial.run("dead-letters", "skip", number, "--reason", "r")).toMatchObject({
      code: 0,
      stdout: "skipped 1 of 1 dead letter in 1 lane\n",
    });
    expect((await trial.run("dead-letters", "skip", number, "--reason", "r")).code).toBe(3);
    expect((await trial.run("dead-letters", "ls", "--consumer", "payments")).stderr).toContain("nothing is dead");
  });
});

describe("dead letters in bulk", () => {
  it("are grouped by kind, exported, edited outside and imported", async () => {
    for (const n of [1, 2, 3]) await trial.run("publish", "order.placed", order(`x-${n}`, price.rejected));
    await deadLetter("x-3");
    const grouped = await json<{ groups: { count: number; keys: number; consumers: string[] }[] }>(
      "dead-letters",
      "ls",
      "--group",
    );
    expect(grouped.groups).toMatchObject([
      { count: 3, keys: 3, consumers: ["payments"], example: { failure: { message: expect.stringContaining("667") } } },
    ]);
    expect((await trial.run("dead-letters", "ls", "--group")).stdout).toMatch(
      /^\S+ +3 +3 +payments +2.* order\.placed/m,
    );
    expect((await trial.run("dead-letters", "ls", "--group", "--parked")).code).toBe(2);

    const { stdout } = await trial.run("dead-letters", "export", "--consumer", "payments");
    const [one = "", two = "", three = ""] = stdout.trim().split("\n");
    expect(JSON.parse(one)).toMatchObject({ type: "order.placed", data: { orderId: "x-1", pence: price.rejected } });
    const input = [
      one.replace('"pence":667', '"pence":5'),
      two.replace('"pence":667', '"pence":"5"'),
      three,
      "{",
      '{"entry":99999,"id":"x","data":{}}',
    ].join("\n");
    const importing = (...more: string[]) =>
      trial.runWith({ input }, "dead-letters", "import", "-", "--dir", trial.dir, ...more);
    expect(await importing("--dry-run")).toMatchObject({
      code: 8,
      stdout: expect.stringMatching(/^would edit 1 dead/),
    });
    const imported = await importing("--reason", "mended");
    expect(imported).toMatchObject({
      code: 8,
      stdout: expect.stringMatching(/^edited 1 dead letter, left 1 as they are, refused 3\n/),
      stderr: expect.stringMatching(
        /^line 2: .*\/pence.*\(CONTRACT_REJECTED\)\nline 4: .*\nline 5: .*\(NOT_FOUND\)\n$/,
      ),
    });
    const letter = await deadLetter("x-1");
    expect(letter.event).toMatchObject({ data: { pence: 5 }, causationId: JSON.parse(one).id });
    const again = await trial.runWith(
      { input: one },
      "dead-letters",
      "import",
      "-",
      "--dir",
      trial.dir,
      "--reason",
      "r",
    );
    expect(again).toMatchObject({ code: 9, stderr: expect.stringContaining("was edited since it was exported") });
    expect((await trial.run("dead-letters", "import", "/nowhere", "--reason", "r")).code).toBe(3);
    await trial.run("dead-letters", "skip", "--consumer", "payments", "--reason", "r");
  });
});

describe("jobs", () => {
  it("redrive a selection, and are listed, shown, paused, slowed down and cancelled", async () => {
    for (const n of [1, 2, 3]) await trial.run("publish", "order.placed", order(`j-${n}`, price.rejected));
    await deadLetter("j-3");
    const redrive = (...more: string[]) => trial.run("dead-letters", "redrive", ...more);
    expect((await redrive("--no-input", "--reason", "r")).code).toBe(2);
    expect((await redrive("key:j-9", "--dry-run")).stdout).toBe("nothing to redrive\n");
    expect((await redrive("key:j-1", "type:order.*", "since:1h", "--dry-run")).stdout).toBe(
      "would redrive 1 dead letter in 1 lane as a job\n",
    );
    expect((await redrive("--consumer", "payments", "--rate", "quick", "--reason", "r")).code).toBe(2);
    const made = await redrive("data.pence=667", "--consumer", "payments", "--rate", "1/min", "--reason", "mended");
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^job 1 redrives \d dead letters; see/) });
    await eventually(async () => {
      const { job } = await json<{ job: { state: string; items: { died: number } } }>("jobs", "show", "1");
      expect(job).toMatchObject({ state: "paused", items: { died: 1 } });
    });
    expect((await trial.run("jobs", "ls")).stdout).toMatch(/1 .* paused +2\/2 .*data\.pence=667 --consumer payments/);
    expect((await trial.run("jobs", "show", "1", "--state", "died")).stdout).toContain("never takes 667");
    expect((await trial.run("jobs", "show", "1", "--state", "lost")).code).toBe(2);
    expect((await trial.run("jobs", "rate", "1", "30/min", "--reason", "r")).stdout).toBe("set the rate of job 1\n");
    expect((await trial.run("jobs", "pause", "1", "--reason", "r")).stdout).toBe("job 1 is as it was\n");
    expect((await trial.run("jobs", "cancel", "1", "--dry-run")).stdout).toMatch(/^would cancel job 1, which has/);
    expect((await trial.run("jobs", "cancel", "1", "--reason", "r")).stdout).toBe("cancelled job 1\n");
    expect((await trial.run("jobs", "resume", "1", "--reason", "r")).code).toBe(4);
    expect((await trial.run("jobs", "show", "9")).code).toBe(3);
    await trial.run("dead-letters", "skip", "--consumer", "payments", "--reason", "r");
  });
});

describe("check", () => {
  it("exits 0 when all is fine, and 10 with the first cause when a threshold is exceeded", async () => {
    await eventually(async () =>
      expect(await trial.run("check")).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^fine: 3 consumers within/),
      }),
    );
    await trial.run("publish", "order.placed", order("c-1", price.rejected));
    const { entry, event } = await deadLetter("c-1");
    expect(await trial.run("check")).toMatchObject({
      code: 10,
      stdout: `payments is blocked by dead order.placed ${event.id} (entry ${entry}), EVENT_REJECTED; 1 dead letter, 0 allowed\n`,
    });
    expect(await json("check", "--dead-letters", "1", "--lag", "1h")).toMatchObject({
      ok: true,
      thresholds: { lagMs: 3_600_000, deadLetters: 1 },
      problems: [{ consumer: "payments", type: "blocked", exceeded: false }],
    });
    expect((await trial.run("check", "--lag", "long")).code).toBe(2);
    await trial.run("dead-letters", "skip", String(entry), "--reason", "r");
  });
});

describe("backup and doctor", () => {
  it("copies into a new file, and exits 4 when it exists", async () => {
    const file = join(trial.dir, "copy", "..", "copy.db");
    expect(await trial.run("backup", file)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^wrote .*copy\.db, [\d.]+ MiB\n$/),
    });
    expect(existsSync(file)).toBe(true);
    expect((await trial.run("backup", file)).code).toBe(4);
  });

  it("finds all sound, and exits 1 when something is not", async () => {
    const sound = await trial.run("doctor");
    expect(sound).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ok +integrity/m) });
    expect(sound.stdout).toMatch(/^ok +consumer payments +runs/m);
    await trial.run("publish", "order.placed", order("z-1", price.rejected));
    const number = String((await deadLetter("z-1")).entry);
    expect(await trial.run("doctor")).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^NOT OK +dead-letters +1 /m),
    });
    await trial.run("dead-letters", "skip", number, "--reason", "r");
  });
});

describe("usage", () => {
  it("is explained with examples, and its mistakes exit 2", async () => {
    const help = await trial.runWith({}, "dead-letters", "redrive", "--help");
    expect(help).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringContaining("Examples:\n  $ millrace dead-letters redrive 7"),
    });
    for (const args of [["nothing"], ["consumers", "ls", "--bogus"], []])
      expect((await trial.runWith({}, ...args)).code).toBe(2);
    expect((await trial.run("consumers", "ls", "-o", "yaml")).code).toBe(2);
    expect((await trial.run("consumers", "ls", "--timeout", "soon")).code).toBe(2);
    expect((await trial.runWith({}, "--version")).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("has its common options before the command, too, and refuses those that the command does not have", async () => {
    for (const args of [
      ["--dir", trial.dir, "-o", "json", "consumers", "ls"],
      [`--dir=${trial.dir}`, "consumers", "-o", "json"],
      ["consumers", "--dir", trial.dir, "ls", "-o", "json"],
    ]) {
      const ran = await trial.runWith({ cwd: tmpdir() }, ...args);
      expect(ran).toMatchObject({ code: 0, stderr: "" });
      expect(JSON.parse(ran.stdout)).toMatchObject({ from: "process" });
    }
    const tailed = await trial.runWith({}, "--dir", trial.dir, "tail", "--last", "1", "--limit", "1");
    expect(tailed.code).toBe(0);
    expect(await trial.runWith({}, "--dir", trial.dir, "start", "app.js")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("start has no option --dir"),
    });
  });

  it("keeps tables within the terminal, however long a key is, and cuts nothing in JSON", async () => {
    const key = `wide-${"k".repeat(300)}`;
    await trial.run("publish", "order.placed", order(key, 1));
    const env = { COLUMNS: "72" };
    const find = ["events", "search", "type:order.placed", "--limit", "1", "--dir", trial.dir] as const;
    const table = await trial.runWith({ env }, ...find);
    const lines = table.stdout.trimEnd().split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(72);
    expect(lines[0]).toMatch(/TYPE .*KEY .*SOURCE .*ID/);
    expect(lines[1]).toMatch(/ order\.pl.* wide-k+… /);
    const wide = await trial.runWith({}, ...find);
    expect(wide.stdout).toContain(key);
    for (const format of ["json", "jsonl"])
      expect((await trial.runWith({ env }, ...find, "-o", format)).stdout).toContain(`"key":`);
    expect((await trial.runWith({ env }, ...find, "-o", "jsonl")).stdout).toContain(key);
  });

  it("prints colours nowhere but on a terminal", async () => {
    expect((await trial.run("explain", "key:e-1")).stdout).not.toContain("\u001b");
  });
});
