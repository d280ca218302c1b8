import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, tempFolder, trial } from "../testing/trial.js";
import type { Context } from "./handler.js";

afterEach(endTrials);

const acts = topic("acts", { key: "key", events: { done: event("act.done", z.object({ key: z.string() })) } });
const Person = z.object({ id: z.string(), email: z.string().nullable(), city: z.string(), age: z.int().optional() });
const people = documents("people", Person, { id: "id", unique: ["email"], indexes: ["city"] });
type Person = z.infer<typeof Person>;
type Ctx = Context<never>;

const acting = (act: (key: string, ctx: Ctx) => unknown, retry: object = { attemptsMax: 1 }) =>
  service("acting").on(acts.done, { retry }, async ({ data }, ctx) => {
    await act(data.key, ctx);
  });
const person = (id: string, more: Partial<Person> = {}): Person => ({ id, email: `${id}@x`, city: "Ghent", ...more });
/** Runs one act after the other, each in a unit of its own. */
async function performed(...list: readonly ((ctx: Ctx) => unknown)[]) {
  const t = await trial([acting((key, ctx) => (list[Number(key)] as (ctx: Ctx) => unknown)(ctx))]);
  for (let index = 0; index < list.length; index += 1) {
    await t.app.publish(acts.done({ key: String(index) }));
    await t.rest();
  }
  return t;
}

describe("a unique field", () => {
  it("lets one document have a value: the second is refused, and its event retried, then dead", async () => {
    const t = await performed(
      (ctx) => ctx.documents(people).put(person("ann")),
      (ctx) => ctx.documents(people).put(person("bob", { email: "ann@x" })),
    );
    expect(await t.entries()).toMatchObject([
      {
        state: "dead",
        failure: { code: "UNIQUE_TAKEN", message: expect.stringMatching(/people.*email/) },
        record: { key: "1" },
      },
    ]);
    expect((await t.entries())[0]?.failure?.message).not.toContain("ann@x");
    expect(await t.app.documents(people).get("bob")).toBeUndefined();
  });

  it("is compared as it is stored, after what its schema trims or makes lower-case", async () => {
    const members = documents(
      "members",
      z.object({ id: z.string().toLowerCase(), email: z.string().trim().toLowerCase() }),
      { id: "id", unique: ["email"] },
    );
    const t = await performed(
      (ctx) => ctx.documents(members).put({ id: "Ann", email: " Ann@X " }),
      (ctx) => ctx.documents(members).put({ id: "bob", email: "ann@x" }),
    );
    expect(await t.entries()).toMatchObject([{ failure: { code: "UNIQUE_TAKEN" } }]);
    const ann = { id: "ann", email: "ann@x" };
    expect(await t.app.documents(members).find({ email: "ann@x" })).toEqual([ann]);
    expect(await t.app.documents(members).get("ann")).toEqual(ann);
  });

  it("lets one of two units in one group have a value, and the other units of the group pass", async () => {
    const t = await trial([
      acting((key, ctx) => ctx.documents(people).put(person(key, { email: key === "c" ? "c@x" : "same@x" }))),
    ]);
    await t.app.publish(["a", "b", "c"].map((key) => acts.done({ key })));
    await t.rest();
    const found = await t.app.documents(people).find({ city: "Ghent" });
    expect(found.map((one) => one.id)).toEqual(["a", "c"]);
    expect(await t.entries()).toMatchObject([{ record: { key: "b" }, failure: { code: "UNIQUE_TAKEN" } }]);
  });

  it("is free for the next when the unit of the group that would have taken it fails", async () => {
    const t = await trial([
      acting((key, ctx) => {
        ctx.documents(people).put(person(key, { email: "same@x" }));
        if (key === "a") ctx.sql`INSERT INTO no_such_table VALUES (1)`;
      }),
    ]);
    await t.app.publish(["a", "b"].map((key) => acts.done({ key })));
    await t.rest();
    expect(await t.app.documents(people).find({ email: "same@x" })).toMatchObject([{ id: "b" }]);
  });

  it("can be swapped between two documents in one unit", async () => {
    const t = await performed(
      (ctx) => ["ann", "bob"].map((id) => ctx.documents(people).put(person(id))),
      (ctx) => {
        ctx.documents(people).put(person("ann", { email: "bob@x" }));
        ctx.documents(people).put(person("bob", { email: "ann@x" }));
      },
    );
    expect(await t.entries()).toEqual([]);
    expect(await t.app.documents(people).find({ email: "ann@x" })).toMatchObject([{ id: "bob" }]);
  });

  it("refuses two documents of one unit with the same value", async () => {
    const t = await performed((ctx) => {
      ctx.documents(people).put(person("ann", { email: "same@x" }));
      ctx.documents(people).put(person("bob", { email: "same@x" }));
    });
    expect(await t.entries()).toMatchObject([{ state: "dead", failure: { code: "UNIQUE_TAKEN" } }]);
    expect(await t.app.documents(people).get("ann")).toBeUndefined();
  });

  it("is free again when its document changed it, or was deleted", async () => {
    const t = await performed(
      (ctx) => ["ann", "bob"].map((id) => ctx.documents(people).put(person(id))),
      (ctx) => ctx.documents(people).put(person("ann", { email: "new@x" })),
      (ctx) => ctx.documents(people).put(person("cleo", { email: "ann@x" })),
      (ctx) => ctx.documents(people).delete("bob"),
      (ctx) => ctx.documents(people).put(person("dan", { email: "bob@x" })),
    );
    expect(await t.entries()).toEqual([]);
    expect(await t.app.documents(people).find({ email: "bob@x" })).toMatchObject([{ id: "dan" }]);
  });

  it("may be null in any number of documents", async () => {
    const t = await performed((ctx) =>
      ["ann", "bob"].map((id) => ctx.documents(people).put(person(id, { email: null }))),
    );
    expect(await t.entries()).toEqual([]);
    expect(await t.app.documents(people).find({ city: "Ghent" })).toHaveLength(2);
  });

  it("succeeds at a later attempt when the value has become free meanwhile", async () => {
    const t = await trial([
      acting(
        (key, ctx) => {
          if (key === "free") return ctx.documents(people).delete("ann");
          ctx.documents(people).put(person(key, { email: "ann@x" }));
        },
        { attemptsInPlace: 1, backoffFirst: "10s" },
      ),
    ]);
    await t.app.publish(acts.done({ key: "ann" }));
    await t.rest();
    await t.app.publish(acts.done({ key: "bob" }));
    await t.until(async () => (await t.entries()).length === 1);
    await t.app.publish(acts.done({ key: "free" }));
    await t.rest();
    expect(await t.app.documents(people).find({ email: "ann@x" })).toMatchObject([{ id: "bob" }]);
  });
});

describe("find", () => {
  const many = (ctx: Ctx) => {
    for (let index = 0; index < 25; index += 1) {
      const id = `p${String(index).padStart(2, "0")}`;
      ctx.documents(people).put(person(id, { city: index % 2 === 0 ? "Ghent" : "Pisa", age: index % 4 }));
    }
  };

  it("gives pages in id order, and goes on after the last id of a page", async () => {
    const t = await performed(many);
    const read = t.app.documents(people);
    const first = await read.find({ city: "Ghent" }, { limit: 5 });
    const second = await read.find({ city: "Ghent" }, { limit: 5, after: first.at(-1)?.id as string });
    const last = await read.find({ city: "Ghent" }, { limit: 5, after: second.at(-1)?.id as string });
    expect([first, second, last].map((page) => page.map((one) => one.id))).toEqual([
      ["p00", "p02", "p04", "p06", "p08"],
      ["p10", "p12", "p14", "p16", "p18"],
      ["p20", "p22", "p24"],
    ]);
  });

  it("checks the conditions that no index answers on what the index found, over all its pages", async () => {
    const t = await performed(many);
    const found = await t.app.documents(people).find({ city: "Ghent", age: 2 }, { limit: 4 });
    expect(found.map((one) => one.id)).toEqual(["p02", "p06", "p10", "p14"]);
  });

  it("sees updates move a document between values, and deletions remove it", async () => {
    const t = await performed(
      (ctx) => ["ann", "bob"].map((id) => ctx.documents(people).put(person(id))),
      (ctx) => ctx.documents(people).put(person("ann", { city: "Pisa" })),
      (ctx) => ctx.documents(people).delete("bob"),
    );
    expect(await t.app.documents(people).find({ city: "Ghent" })).toEqual([]);
    expect(await t.app.documents(people).find({ city: "Pisa" })).toMatchObject([{ id: "ann" }]);
  });

  it("sees what is committed, not what its own unit has written", async () => {
    const found: number[] = [];
    await performed(
      (ctx) => ctx.documents(people).put(person("ann")),
      async (ctx) => {
        ctx.documents(people).put(person("bob"));
        found.push((await ctx.documents(people).find({ city: "Ghent" })).length);
      },
    );
    expect(found).toEqual([1]);
  });

  it("stops the consumer that asks for a field without an index, and refuses it from outside", async () => {
    const t = await performed((ctx) => ctx.documents(people).put(person("ann")));
    await expect(t.app.documents(people).find({ age: 5 })).rejects.toMatchObject({
      code: "INDEX_MISSING",
      message: expect.stringMatching(/people.*age.*indexes/),
    });
    const careless = await trial([acting((_, ctx) => ctx.documents(people).find({ age: 5 }))]);
    await careless.app.publish(acts.done({ key: "a" }));
    await careless.restBeside("acting");
    expect(careless.status("acting").failure).toMatchObject({ code: "INDEX_MISSING" });
  });

  it("answers for an index that was added later, over documents stored before, inside handlers and outside", async () => {
    const dir = tempFolder();
    const bare = documents("people", Person, { id: "id" });
    const t = await trial([acting((key, ctx) => ctx.documents(bare).put(person(key)))], { dir });
    await t.app.publish(["ann", "bob"].map((key) => acts.done({ key })));
    await t.rest();
    const again = await t.again([
      acting(async (key, ctx) => {
        const found = await ctx.documents(people).find({ email: "ann@x" });
        ctx.documents(people).put(person(key, { city: `found ${found.map((one) => one.id).join()}` }));
      }),
    ]);
    expect(await again.app.documents(people).find({ city: "Ghent" })).toMatchObject([{ id: "ann" }, { id: "bob" }]);
    await again.app.publish(acts.done({ key: "cleo" }));
    await again.rest();
    expect(await again.app.documents(people).get("cleo")).toMatchObject({ city: "found ann" });
  });

  it("stops the consumer that declares a field unique of which stored documents share a value, and says so", async () => {
    const dir = tempFolder();
    const bare = documents("people", Person, { id: "id" });
    const t = await trial([acting((key, ctx) => ctx.documents(bare).put(person(key, { email: "same@x" })))], { dir });
    await t.app.publish(["ann", "bob"].map((key) => acts.done({ key })));
    await t.rest();
    const again = await t.again([acting((key, ctx) => ctx.documents(people).put(person(key)))]);
    await again.app.publish(acts.done({ key: "cleo" }));
    await again.until(() => again.status("acting").state === "stopped");
    expect(again.status("acting").failure).toMatchObject({
      code: "CONFLICT",
      message: expect.stringMatching(/people.*unique.*email/),
    });
    expect(await again.entries()).toEqual([]);
  });
});

describe("an indexed field", () => {
  const Parcel = z.object({ id: z.string(), code: z.string(), shelf: z.int().optional() });
  const parcels = documents("parcels", Parcel, { id: "id", unique: ["code"], indexes: ["shelf"] });

  it("may be absent, and documents without it are found by that", async () => {
    const t = await performed((ctx) => {
      ctx.documents(parcels).put({ id: "a", code: "1" });
      ctx.documents(parcels).put({ id: "b", code: "2", shelf: 0 });
    });
    expect(await t.entries()).toEqual([]);
    expect(await t.app.documents(parcels).find({ shelf: 0 })).toMatchObject([{ id: "b" }]);
  });

  it("keeps texts of digits as they are: other zeros, other values", async () => {
    const codes = ["01234", "1234", "1234.0", "1e3", "1000", "12345678901234567890", "12345678901234567891"];
    const t = await performed((ctx) => {
      for (const code of codes) ctx.documents(parcels).put({ id: `p${code}`, code });
    });
    expect(await t.entries()).toEqual([]);
    for (const code of codes) expect(await t.app.documents(parcels).find({ code })).toEqual([{ id: `p${code}`, code }]);
  });
});

describe("a newer version of a document type", () => {
  const Old = z.object({ id: z.string(), name: z.string() });
  const old = documents("cards", Old, { id: "id" });
  const New = z.object({ id: z.string(), first: z.string() });
  const renewed = documents("cards", New, {
    id: "id",
    version: 2,
    indexes: ["first"],
    migrate: (value, from) => {
      const { id, name } = value as z.infer<typeof Old>;
      return { id, first: `${name.split(" ")[0]} (from ${from})` };
    },
  });
  const storing = () => acting((key, ctx) => ctx.documents(old).put({ id: key, name: "Ann Lee" }));

  it("migrates stored documents when they are read, also for a new index, and stores what is written in the new form", async () => {
    const dir = tempFolder();
    const t = await trial([storing()], { dir });
    await t.app.publish(["a", "b"].map((key) => acts.done({ key })));
    await t.rest();
    const again = await t.again([
      acting(async (_, ctx) => {
        const card = await ctx.documents(renewed).get("a");
        if (card !== undefined) ctx.documents(renewed).put({ ...card, first: card.first.toUpperCase() });
      }),
    ]);
    expect(await again.app.documents(renewed).get("b")).toEqual({ id: "b", first: "Ann (from 1)" });
    expect(await again.app.documents(renewed).find({ first: "Ann (from 1)" })).toMatchObject([
      { id: "a" },
      { id: "b" },
    ]);
    await again.app.publish(acts.done({ key: "go" }));
    await again.rest();
    expect(await again.app.documents(renewed).get("a")).toEqual({ id: "a", first: "ANN (FROM 1)" });
  });

  it("has index entries of what stored documents migrate to, also when the indexes are the same as before", async () => {
    const dir = tempFolder();
    const first = documents("cards", Old, { id: "id", indexes: ["name"] });
    const t = await trial([acting((key, ctx) => ctx.documents(first).put({ id: key, name: "ann" }))], { dir });
    await t.app.publish(acts.done({ key: "a" }));
    await t.rest();
    const migrate = (value: unknown) => ({ ...(value as z.infer<typeof Old>), name: "ANN" });
    const second = documents("cards", Old, { id: "id", version: 2, indexes: ["name"], migrate });
    const again = await t.again([acting((key, ctx) => ctx.documents(second).put({ id: key, name: "BOB" }))]);
    expect(await again.app.documents(second).find({ name: "ANN" })).toEqual([{ id: "a", name: "ANN" }]);
    expect(await again.app.documents(second).find({ name: "ann" })).toEqual([]);
  });

  it("is refused by an older program, whose consumer stops rather than lose what it does not know", async () => {
    const dir = tempFolder();
    const t = await trial([acting((key, ctx) => ctx.documents(renewed).put({ id: key, first: "Ann" }))], { dir });
    await t.app.publish(acts.done({ key: "a" }));
    await t.rest();
    const again = await t.again([acting(async (_, ctx) => void (await ctx.documents(old).get("a")))]);
    await expect(again.app.documents(old).get("a")).rejects.toMatchObject({ code: "DOCUMENT_NEWER" });
    await again.app.publish(acts.done({ key: "go" }));
    await again.until(() => again.status("acting").state === "stopped");
    expect(again.status("acting").failure).toMatchObject({ code: "DOCUMENT_NEWER" });
  });

  it("makes the event a dead letter when a stored document cannot be migrated", async () => {
    const dir = tempFolder();
    const t = await trial([storing()], { dir });
    await t.app.publish(acts.done({ key: "a" }));
    await t.rest();
    const broken = documents("cards", New, { id: "id", version: 2, migrate: () => ({ id: "a" }) as never });
    const again = await t.again([acting(async (_, ctx) => void (await ctx.documents(broken).get("a")))]);
    await again.app.publish(acts.done({ key: "go" }));
    await again.rest();
    expect(await again.entries()).toMatchObject([{ state: "dead", failure: { code: "DOCUMENT_REJECTED" } }]);
  });
});

describe("documents of two services", () => {
  const mark = (name: string) =>
    service(name).on(acts.done, ({ data }, ctx) => ctx.documents(people).put(person(data.key, { city: name })));

  it("are apart, also under one name and id; from outside, the service must be named", async () => {
    const t = await trial([mark("one"), mark("two")]);
    await t.app.publish(acts.done({ key: "ann" }));
    await t.rest();
    for (const name of ["one", "two"])
      expect(await t.app.documents(people, { service: name }).get("ann")).toMatchObject({ city: name });
    await expect(t.app.documents(people).get("ann")).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringMatching(/one and two.*service/),
    });
  });

  it("that only a service outside of the app keeps are refused, unless it is named", async () => {
    const t = await trial([mark("one")], { dir: tempFolder() });
    await t.app.publish(acts.done({ key: "ann" }));
    await t.rest();
    const again = await t.again([service("other").owns(acts)]);
    const refusal = { code: "OPTION_INVALID", message: expect.stringMatching(/kept by one, not by.*\(other\)/) };
    await expect(again.app.documents(people).get("ann")).rejects.toMatchObject(refusal);
    await expect(again.app.documents(people).find({ city: "one" })).rejects.toMatchObject(refusal);
    expect(await again.app.documents(people, { service: "one" }).get("ann")).toMatchObject({ city: "one" });
    await expect(again.app.documents(people, { service: "oen" }).get("ann")).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining("no service oen"),
    });
  });

  it("that nobody stored yet are absent, not an error", async () => {
    const t = await trial([mark("one")]);
    expect(await t.app.documents(people).get("ann")).toBeUndefined();
    expect(await t.app.documents(people).find({ city: "Ghent" })).toEqual([]);
  });
});
