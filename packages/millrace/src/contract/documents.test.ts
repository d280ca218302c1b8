import { expect, it } from "vitest";
import { z } from "zod";
import { type DocumentDeclaration, documentDeclaration, documents } from "./documents.js";

const Account = z.object({ customerId: z.string(), limitPence: z.int() });
const accounts = documentDeclaration(
  documents("accounts", Account, { id: "customerId", indexes: ["limitPence"], unique: ["customerId"] }),
);
const versioned = documentDeclaration(
  documents("accounts", Account, {
    id: "customerId",
    version: 3,
    migrate(old, from) {
      const { id, limit } = old as { id: string; limit: number };
      return { customerId: id, limitPence: from === 1 ? limit * 100 : limit };
    },
  }),
);
const encoded = (declaration: DocumentDeclaration, doc: unknown) => declaration.textOf(declaration.accept(doc));

it("knows name, id, version and indexes", () => {
  expect(accounts).toMatchObject({
    name: "accounts",
    idField: "customerId",
    version: 1,
    indexes: ["limitPence"],
    unique: ["customerId"],
  });
});

it("encodes what fits, and refuses the rest with path and reason", () => {
  expect(encoded(accounts, { customerId: "c-1", limitPence: 5, more: 1 })).toBe('{"customerId":"c-1","limitPence":5}');
  expect(() => encoded(accounts, { customerId: "c-1", limitPence: "5" })).toThrow(
    expect.objectContaining({
      code: "DOCUMENT_REJECTED",
      message: expect.stringMatching(/^documents accounts v1: \/limitPence /),
    }),
  );
  expect(() => encoded(accounts, { customerId: "\0", limitPence: 5 })).toThrow(
    expect.objectContaining({ code: "PAYLOAD_LIMIT" }),
  );
  const anything = documentDeclaration(documents("things", z.object({ id: z.string(), thing: z.any() }), { id: "id" }));
  expect(() => encoded(anything, { id: "a", thing: 1n })).toThrow(
    expect.objectContaining({ code: "DOCUMENT_REJECTED" }),
  );
});

it("takes the id from its field, and refuses an unusable one", () => {
  expect(accounts.idOf({ customerId: "c-1" })).toBe("c-1");
  for (const doc of [{ customerId: "" }, {}, null]) {
    expect(() => accounts.idOf(doc)).toThrow(expect.objectContaining({ code: "DOCUMENT_REJECTED" }));
  }
});

it("gives documents of today as they were stored, and migrates older ones", () => {
  const stored = { customerId: "c-1", limitPence: 5 };
  expect(versioned.parse(stored, 3)).toBe(stored);
  expect(versioned.parse({ id: "c-1", limit: 5 }, 1)).toEqual({ customerId: "c-1", limitPence: 500 });
  expect(versioned.parse({ id: "c-1", limit: 5 }, 2)).toEqual({ customerId: "c-1", limitPence: 5 });
});

it("refuses a migration that throws or makes what does not fit", () => {
  expect(() => versioned.parse({ id: 7, limit: 5 }, 1)).toThrow(expect.objectContaining({ code: "DOCUMENT_REJECTED" }));
  expect(() => versioned.parse(null, 1)).toThrow(
    expect.objectContaining({
      code: "DOCUMENT_REJECTED",
      cause: expect.any(TypeError),
      message: expect.stringContaining("from version 1"),
    }),
  );
});

it("refuses documents of a newer program", () => {
  expect(() => versioned.parse({}, 4)).toThrow(
    expect.objectContaining({ code: "DOCUMENT_NEWER", message: expect.stringContaining("version 4") }),
  );
});

it.each([
  ["a bad name", () => documents("My.accounts", Account, { id: "customerId" })],
  ["an id that is no field", () => documents("accounts", Account, { id: "id" as "customerId" })],
  [
    "an index that is no field",
    () => documents("accounts", Account, { id: "customerId", unique: ["mail" as "customerId"] }),
  ],
  ["a version without a migration", () => documents("accounts", Account, { id: "customerId", version: 2 })],
  ["a version that is none", () => documents("accounts", Account, { id: "customerId", version: 0 })],
])("refuses %s", (_, declare) => {
  expect(declare).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID" }));
});

it("is refused when documents() did not make it", () => {
  expect(() => documentDeclaration({ name: "accounts" } as never)).toThrow(
    expect.objectContaining({ code: "CONTRACT_UNKNOWN" }),
  );
});
