import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { actsOf } from "../admin/acts.js";
import { planApp } from "../app/plan.js";
import { account, accounts, accountWith, bank, close, news, open } from "../app/trial-accounts.js";
import type { AnyContract, Topic } from "../contract/contract.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service, serviceDeclaration } from "../service/declare.js";
import type { Service } from "../service/service.js";
import { endTrials, tempFolder, trial } from "../testing/trial.js";
import { type AggregateOptions, aggregate } from "./aggregate.js";

afterEach(endTrials);

const plan = (...services: Service[]) => planApp(services.map(serviceDeclaration));
const other = topic("others", {
  key: "account",
  events: { done: event("other.done", z.object({ account: z.string() })) },
});
const lone = command("lone", z.object({ account: z.string() }), { key: "account" }) as unknown as typeof close;
const message = () => accounts.closed({ account: "a-1" });

describe("the topic of an aggregate", () => {
  it.each([
    ["a handler of its own service", () => plan(bank().on(news.overdue, { emits: [accounts.closed] }, () => {}))],
    [
      "a handler of another service",
      () =>
        plan(
          bank(),
          service("x").on(other.done, { emits: [accounts.closed] }, () => {}),
        ),
    ],
    [
      "a timer, which is declared in emits",
      () =>
        plan(
          bank().handle(
            command("x", z.object({ a: z.string() }), { key: "a" }),
            { emits: [accounts.closed] },
            () => {},
          ),
        ),
    ],
    ["a second aggregate", () => plan(bank(), service("x").owns(accountWith({ commands: [lone] })))],
    ["a second aggregate's derived events", () => plan(bank().owns(derivingInto(accounts.closed)))],
  ])("is not written by %s", (_, declare) => {
    expect(declare).toThrow(
      expect.objectContaining({ code: "TOPIC_OWNER", message: expect.stringMatching(/accounts/) }),
    );
  });

  it("is not published to from outside: one event, many, or by an operator", async () => {
    const t = await trial([bank()]);
    const refused = { code: "TOPIC_OWNER", message: expect.stringMatching(/aggregate accounts alone.*command/) };
    await expect(t.app.publish(message())).rejects.toMatchObject(refused);
    await expect(t.app.publish([message()])).rejects.toMatchObject(refused);
    const { publish } = actsOf({ app: t.app, running: t.running });
    await expect(publish({ type: "account.closed", data: { account: "a-1" }, actor: "ann" })).rejects.toMatchObject(
      refused,
    );
    expect((await t.running.engine.inspect.events({ limit: 9 })).events).toEqual([]);
  });

  it("is not published to by a schedule", async () => {
    const t = await trial([bank().schedule("nightly", { cron: "* * * * *" }, message)]);
    await t.clock.advance(120_000);
    await t.until(() =>
      t.lines.some(({ fields }) => (fields.err as { code?: string } | undefined)?.code === "TOPIC_OWNER"),
    );
    expect((await t.running.engine.inspect.events({ topic: "accounts", limit: 9 })).events).toEqual([]);
  });

  it("is not written past its aggregate by an app on the same file that does not know it", async () => {
    const dir = tempFolder();
    const t = await trial([bank()], { dir });
    const again = await t.again([service("bank").owns(accounts)]);
    await expect(again.app.publish(message())).rejects.toMatchObject({ code: "TOPIC_OWNER" });
    await expect(
      again.running.engine.log.append([{ ...recordLike, topic: "accounts", key: "a-1", headers: { sequence: 1 } }]),
    ).rejects.toMatchObject({ code: "TOPIC_OWNER" });
  });

  it("holds nothing that the aggregate did not write", async () => {
    const dir = tempFolder();
    const t = await trial([service("bank").owns(accounts)], { dir });
    await t.app.publish(message());
    await expect(t.again([bank()])).rejects.toMatchObject({
      code: "CONFLICT",
      message: expect.stringMatching(/accounts has 1 events/),
    });
  });

  it("is heard by its own service alone when it is internal", () => {
    expect(() =>
      plan(
        bank(),
        service("x").on(accounts.closed, () => {}),
      ),
    ).toThrow(expect.objectContaining({ code: "TOPIC_OWNER" }));
  });
});

const recordLike = {
  partition: 0,
  id: "018bcfe5-6800-7000-8000-000000000001",
  source: "bank",
  type: "account.closed",
  version: 1,
  time: 0,
  correlationId: undefined,
  causationId: undefined,
  hops: 0,
  data: "{}",
  named: false,
  offset: -1,
};

function derivingInto(emitted: typeof accounts.closed) {
  return aggregate(other, {
    commands: [command("other", z.object({ account: z.string() }), { key: "account" })],
    emits: [emitted],
    initialState: () => 0,
    decide: () => [],
    evolve: (state) => state,
    derive: () => [],
  });
}

describe("declaring an aggregate", () => {
  const kept = topic("kept", {
    key: "a",
    retention: "7d",
    events: { e: event("kept.e", z.object({ a: z.string() })) },
  });
  const otherKey = command("other-key", z.object({ id: z.string() }), { key: "id" });
  const of =
    (options: object, on: object = other) =>
    () =>
      aggregate(
        on as unknown as Topic<unknown>,
        {
          commands: [],
          initialState: () => 0,
          decide: () => [],
          evolve: () => 0,
          ...options,
        } as unknown as AggregateOptions<unknown, number, AnyContract>,
      );

  it.each([
    ["a retention", of({ commands: [open] }, kept), /retention.*fold of all events/],
    ["no commands", of({}), /at least one command/],
    ["an event among its commands", of({ commands: [other.done] }), /other.done is an event/],
    ["a command twice", of({ commands: [close, close] }), /close-account twice/],
    ["a command with another key", of({ commands: [otherKey] }), /key id.*account/],
    ["no evolve", of({ commands: [close], evolve: undefined }), /evolve is a function/],
    ["emits without derive", of({ commands: [close], emits: [news.overdue] }), /goes with the other/],
    ["derive without emits", of({ commands: [close], derive: () => [] }), /goes with the other/],
    ["snapshots after no events", of({ commands: [close], snapshotEvery: 0 }), /snapshotEvery takes a whole number/],
    ["a version that is none", of({ commands: [close], version: 1.5 }), /version takes a whole number/],
    ["a mistyped option", of({ commands: [close], snapshotEach: 3 }), /did you mean snapshotEvery/],
  ])("is refused with %s", (_, declare, text) => {
    expect(declare).toThrow(expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringMatching(text) }));
  });

  it("is refused to a service that handles one of its commands itself, or that owns it twice", () => {
    expect(() => bank().owns(account)).toThrow(/already owns aggregate accounts/);
    const own = service("bank").handle(close, () => {});
    expect(() => own.owns(account)).toThrow(/already handles close-account/);
  });
});
