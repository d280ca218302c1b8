import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import type { Service } from "../service/service.js";
import { endTrials, otherProgram, type Trial, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const declare = (partitions = 2) =>
  topic("steps", {
    key: "key",
    partitions,
    events: { taken: event("step.taken", Step), undone: event("step.undone", Step) },
  });
const steps = declare();
const seen: string[] = [];
afterEach(() => void seen.splice(0));
const note =
  (name: string) =>
  ({ type, data }: { readonly type: string; readonly data: z.infer<typeof Step> }) => {
    seen.push(`${name} ${type} ${data.n}`);
  };
const hearing = (from?: "beginning" | "end", name = "hearing") =>
  service(name).on(steps.taken, from === undefined ? {} : { from }, note(name));
const owner = service("owner").owns(steps);
const publish = async (t: Trial, ...numbers: number[]) => {
  for (const n of numbers) await t.app.publish(steps.taken({ key: `k${n}`, n }));
  await t.rest();
};
const taken = (name: string, ...numbers: number[]) => numbers.map((n) => `${name} step.taken ${n}`);

/** A file with three events, published before the test's consumer comes. */
async function filled(): Promise<Trial> {
  const t = await trial([owner], { dir: tempFolder() });
  await publish(t, 0, 1, 2);
  return t;
}

describe("a new consumer", () => {
  it("of an empty topic needs no start: it hears everything", async () => {
    const t = await trial([hearing()]);
    await publish(t, 0, 1);
    expect(seen).toEqual(taken("hearing", 0, 1));
  });

  it("of a topic with records must say where it starts", async () => {
    const t = await filled();
    await expect(t.again([hearing()])).rejects.toMatchObject({
      code: "CONSUMER_FROM",
      message: expect.stringMatching(/hearing.*steps.*beginning.*end/),
    });
    expect(seen).toEqual([]);
  });

  it.each([
    ["beginning", [0, 1, 2, 3]],
    ["end", [3]],
  ] as const)("from the %s hears from there on", async (from, heard) => {
    const t = await (await filled()).again([hearing(from)]);
    await publish(t, 3);
    expect(seen).toEqual(taken("hearing", ...heard));
  });

  it("whose handlers of one topic name different starts is refused", async () => {
    const both = hearing("end").on(steps.undone, { from: "beginning" }, note("hearing"));
    await expect((await filled()).again([both])).rejects.toMatchObject({
      code: "CONSUMER_FROM",
      message: expect.stringMatching(/different starts/),
    });
  });
});

describe("a known consumer", () => {
  it("goes on where it was, whatever it says about the start", async () => {
    let t = await trial([hearing()], { dir: tempFolder() });
    await publish(t, 0, 1);
    for (const from of ["beginning", "end", undefined] as const) t = await t.again([hearing(from)]);
    await publish(t, 2);
    expect(seen).toEqual(taken("hearing", 0, 1, 2));
  });

  it("hears what came while it was away", async () => {
    let t = await trial([hearing()], { dir: tempFolder() });
    await publish(t, 0);
    t = await t.again([owner]);
    await publish(t, 1, 2);
    t = await t.again([hearing()]);
    await t.rest();
    expect(seen).toEqual(taken("hearing", 0, 1, 2));
  });

  it("with a new type hears it from now on, not the past, and says so", async () => {
    let t = await trial([hearing()], { dir: tempFolder() });
    await t.app.publish(steps.undone({ key: "a", n: 0 }));
    await publish(t, 1);
    t = await t.again([hearing().on(steps.undone, note("hearing"))]);
    expect(t.lines.find((line) => line.level === "info")?.message).toMatch(/step\.undone.*from now on/);
    await t.app.publish(steps.undone({ key: "a", n: 2 }));
    await publish(t, 3);
    expect(seen).toEqual(["hearing step.taken 1", "hearing step.undone 2", "hearing step.taken 3"]);
  });

  it("with a new topic must say where it starts there", async () => {
    const others = topic("others", { key: "key", events: { came: event("other.came", Step) } });
    let t = await trial([hearing(), service("source").owns(others)], { dir: tempFolder() });
    await t.app.publish(others.came({ key: "a", n: 7 }));
    await publish(t, 0);
    const both = (from?: "beginning") => hearing().on(others.came, from === undefined ? {} : { from }, note("hearing"));
    await expect(t.again([both()])).rejects.toMatchObject({ code: "CONSUMER_FROM" });
    t = await t.again([both("beginning")]);
    await publish(t, 1);
    expect(seen.sort()).toEqual(["hearing other.came 7", ...taken("hearing", 0, 1)]);
  });
});

describe("a topic that a consumer left and hears again", () => {
  const notes = topic("notes", {
    key: "key",
    partitions: 2,
    retention: "1h",
    events: { taken: event("note.taken", Step) },
  });
  const both = () => hearing().on(notes.taken, note("hearing"));
  const left = async (awayMs: number, dir = tempFolder()) => {
    const t = await trial([owner, service("writing").owns(notes), both()], { dir });
    await t.app.publish(notes.taken({ key: "a", n: 0 }));
    await publish(t, 1);
    const away = await t.again([owner, service("writing").owns(notes), hearing()]);
    for (const n of [2, 3]) {
      await away.app.publish(notes.taken({ key: "a", n }));
      await away.clock.advance(awayMs);
    }
    return away;
  };
  const services = (): Service[] => [owner, service("writing").owns(notes), both()];

  it("goes on where it was left", async () => {
    const t = await (await left(1_000)).again(services());
    await t.rest();
    expect(seen).toEqual([
      "hearing note.taken 0",
      "hearing step.taken 1",
      "hearing note.taken 2",
      "hearing note.taken 3",
    ]);
    expect(t.lines.find((line) => line.level === "info")?.message).toMatch(/hears notes again, from where it left/);
  });

  it("stops it with POSITION_MISSING when retention has removed what it would have to handle", async () => {
    const t = await (await left(2 * 3_600_000)).again(services());
    expect(t.status("hearing")).toMatchObject({
      state: "stopped",
      failure: {
        code: "POSITION_MISSING",
        message: expect.stringMatching(/hearing, topic notes: partition \d begins at.*forget hearing/),
      },
    });
    expect(seen).toEqual(["hearing note.taken 0", "hearing step.taken 1"]);
  });

  it("stops it with POSITION_MISSING when it was deleted and made anew meanwhile", async () => {
    const dir = tempFolder();
    const t = await left(1_000, dir);
    await t.stop();
    otherProgram(dir, (database) => database.exec("UPDATE mr_topics SET incarnation = 'x' WHERE name = 'notes'"));
    const again = await trial(services(), { dir, clock: t.clock });
    expect(again.status("hearing").failure).toMatchObject({ code: "POSITION_MISSING" });
  });
});

describe("a consumer whose position does not fit the log any more", () => {
  const damage = {
    "its positions are missing": "DELETE FROM mr_positions WHERE consumer = 'hearing'",
    "one of its positions is missing": "DELETE FROM mr_positions WHERE consumer = 'hearing' AND partition = 1",
    "the end of the log was cut off": "DELETE FROM mr_log; DELETE FROM mr_trace",
    "the beginning of the log is gone": "DELETE FROM mr_log; UPDATE mr_topics SET first = 99 WHERE name = 'steps'",
    "the topic was deleted and made anew": "UPDATE mr_topics SET incarnation = 'another' WHERE name = 'steps'",
  };

  it.each(Object.entries(damage))("because %s stops with POSITION_MISSING, and the others go on", async (_, sql) => {
    const dir = tempFolder();
    const well = topic("wells", { key: "key", events: { dug: event("well.dug", Step) } });
    const services = (): Service[] => [hearing(), service("digging").owns(well).on(well.dug, note("digging"))];
    const t = await trial(services(), { dir });
    await publish(t, 0, 1, 2, 3);
    await t.stop();
    otherProgram(dir, (database) => database.exec(sql));
    const again = await trial(services(), { dir, clock: t.clock });
    expect(again.status("hearing")).toMatchObject({
      state: "stopped",
      failure: { code: "POSITION_MISSING", message: expect.stringMatching(/hearing, topic steps.*forget hearing/) },
    });
    expect(again.lines.some((line) => line.level === "error" && /hearing stopped/.test(line.message))).toBe(true);
    seen.length = 0;
    await again.app.publish(well.dug({ key: "a", n: 9 }));
    await again.app.publish(steps.taken({ key: "k4", n: 4 }));
    await again.restBeside("hearing");
    expect([seen, again.status("digging").state]).toEqual([["digging well.dug 9"], "running"]);
  });

  it("can be forgotten by an operator, and then registers anew, where it says", async () => {
    const dir = tempFolder();
    const t = await trial([hearing()], { dir });
    await publish(t, 0, 1);
    await t.stop();
    otherProgram(dir, (database) => database.exec("UPDATE mr_topics SET incarnation = 'another'"));
    const stopped = await trial([hearing()], { dir, clock: t.clock });
    await stopped.running.engine.operate.forget("hearing", { actor: "ann", reason: "rebuilt", at: 0 });
    seen.length = 0;
    const again = await stopped.again([hearing("beginning")]);
    await again.rest();
    expect(seen).toEqual(taken("hearing", 0, 1));
  });

  it("because it was forgotten while it ran stops, and takes nothing more", async () => {
    const t = await trial([hearing()]);
    await publish(t, 0);
    await t.running.engine.operate.forget("hearing", { actor: "ann", reason: "not needed", at: 0 });
    t.running.forget("hearing");
    await t.app.publish(steps.taken({ key: "k1", n: 1 }));
    await t.restBeside("hearing");
    expect(t.status("hearing").failure).toMatchObject({ code: "POSITION_MISSING" });
    expect(seen).toEqual(taken("hearing", 0));
  });
});

describe("a topic", () => {
  it("that is declared with another partition count is refused", async () => {
    const t = await filled();
    await expect(t.again([service("owner").owns(declare(3))])).rejects.toMatchObject({
      code: "PARTITIONS_CHANGED",
      message: expect.stringMatching(/steps has 2 partitions.*3/),
    });
    const again = await t.again([service("owner").owns(declare(2))]);
    await publish(again, 3);
  });

  it("keeps the events of a consumer that is one of many apart from the others", async () => {
    const t = await trial([
      hearing(undefined, "one"),
      hearing(undefined, "two").consumer("view", (view) => view.on(steps.taken, note("two.view"))),
    ]);
    await publish(t, 0, 1);
    expect(seen.filter((line) => line.startsWith("two.view"))).toEqual(taken("two.view", 0, 1));
    expect(seen).toHaveLength(6);
  });
});
