import { expect, it } from "vitest";
import { z } from "zod";
import { account, open } from "../app/trial-accounts.js";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { given } from "./given.js";
import { toldBy } from "./given-told.js";

const Seat = z.object({ seat: z.string() });
const seats = topic("seats", {
  key: "seat",
  events: { taken: event("seat.taken", Seat), freed: event("seat.freed", Seat), broken: event("seat.broken", Seat) },
});
const take = command("take-seat", z.object({ seat: z.string(), by: z.string() }), { key: "seat" });
const clean = command("clean-seat", Seat, { key: "seat" });
const Taken = z.object({ seat: z.string(), by: z.string(), at: z.string().default("") });
const taken = documents("taken-seats", Taken, { id: "seat", indexes: ["at"], unique: ["by"] });
const a1 = { seat: "A1" };
const hall = service("hall")
  .owns(seats, account)
  .handle(take, { emits: [seats.taken, seats.freed] }, async ({ data, actor }, ctx) => {
    const all = ctx.documents(taken);
    const now = ctx.now().toISOString();
    const at = await all.find({ at: now });
    if ((await all.get(data.seat)) !== undefined) {
      ctx.publish(seats.taken({ seat: "never" }));
      return { refused: "TAKEN", detail: `${at.length} now` };
    }
    all.put({ ...data, at: now });
    ctx.publish(seats.taken({ seat: data.seat }));
    ctx.after("2h", seats.freed({ seat: data.seat }), { name: actor ?? ctx.id() });
    return undefined;
  })
  .on(seats.freed, { emits: [clean] }, ({ data, key }, ctx) => {
    ctx.documents(taken).delete(key);
    ctx.send(clean(data));
    ctx.cancel("reminder");
  })
  .consumer("screen", (c) =>
    c.on(seats.freed, (e, ctx) => void ctx.sql`DELETE FROM screen WHERE seat = ${e.key}`.rows(1)),
  )
  .on(seats.broken, (_, ctx) => ctx.publish(seats.freed(a1) as never));
const askedBy = (by: string) => take({ seat: "A1", by });

it("a command's handler is given documents, and what it does is compared in its order", async () => {
  const when = new Date(Date.UTC(2020, 1));
  const done = await given(hall)
    .when(askedBy("ann"), { time: when, actor: "desk" })
    .then([seats.taken(a1), { after: "120m", message: seats.freed(a1) }]);
  expect(done.documents(taken).get("A1")).toEqual({ seat: "A1", by: "ann", at: when.toISOString() });
  expect(done.documents(taken).get("A2")).toBeUndefined();
});

it("a refusal leaves no effects, and documents that were given are found", async () => {
  const held = given(hall, [[taken, { seat: "A1", by: "bob", at: "2000-01-01T00:00:00.000Z" }]]);
  const refused = await held.when(askedBy("ann")).then({ refused: "TAKEN", detail: "1 now" });
  expect([refused.effects, refused.refusal?.refused]).toEqual([[], "TAKEN"]);
  await held.when(askedBy("ann")).then({ refused: "TAKEN" });
  expect(refused.documents(taken).get("A1")?.by).toBe("bob");
});

it("an event runs all handlers of the service, and their statements are kept", async () => {
  const freed = await given(hall, [[taken, { seat: "A1", by: "bob", at: "" }]])
    .when(seats.freed(a1))
    .then([clean(a1), { cancel: "reminder" }]);
  expect(freed.documents(taken).get("A1")).toBeUndefined();
  expect(freed.statements).toEqual([{ text: expect.stringContaining("DELETE FROM screen"), params: ["A1"] }]);
});

it("says line by line what was done otherwise, and what a refusal was", async () => {
  const asked = () => given(hall).when(askedBy("ann"));
  await expect(asked().then([seats.taken({ seat: "B" })])).rejects.toThrow(
    [
      'take-seat {"seat":"A1","by":"ann"}: other effects (- expected, + made)',
      '  - seat.taken {"seat":"B"}',
      '  + seat.taken {"seat":"A1"}',
      '      seat: "B" was expected, it is "A1"',
      '  + after 7200000ms: seat.freed {"seat":"A1"}',
    ].join("\n"),
  );
  await expect(asked().then({ refused: "NO" })).rejects.toThrow(
    /the refusal {"refused":"NO"}, made were\n {2}seat.taken/,
  );
  const refused = () => given(hall, [[taken, { seat: "A1", by: "bob", at: "" }]]).when(askedBy("ann"));
  await expect(refused().then([])).rejects.toThrow(/refused with .*TAKEN/);
  await expect(refused().then({ refused: "NO" })).rejects.toThrow(/- {"refused":"NO"}\n {2}\+ .*TAKEN/);
});

it.each([
  ["nobody handles it", () => given(hall).when(clean(a1)), /hall has no handler of clean-seat; it has take-seat, /],
  [
    "an aggregate takes it",
    () => given(hall).when(open({ account: "a", owner: "b" })),
    /leaves open.* to aggregate accounts; give that: given\(aggregate, …\)/,
  ],
  ["it is not in emits", () => given(hall).when(seats.broken(a1)), /publishes seat.freed without declaring it/],
  ["the message does not fit", () => given(hall).when(take({ seat: 1 } as never)), /take-seat v1: \/seat/],
  [
    "a unique value is taken",
    () => given(hall, [[taken, { seat: "B2", by: "ann", at: "" }]]).when(askedBy("ann")),
    /A1 has the by of B2, "ann", which is unique/,
  ],
])("says so when %s", async (_, test, text) => {
  await expect(test().then([])).rejects.toThrow(text);
});

it("says so when a given document does not fit, it is no service, or the question itself is awaited", async () => {
  expect(toldBy(() => given({ ...hall }))).toMatch(/takes what aggregate\(\).*uncopied/);
  expect(toldBy(() => given(hall, [[taken, { seat: "A1" } as never]]))).toMatch(/taken-seats v1: \/by/);
  const asked = given(hall).when(askedBy("ann")) as unknown as Promise<unknown>;
  await expect((async () => asked)()).rejects.toThrow(/await .then/);
});
