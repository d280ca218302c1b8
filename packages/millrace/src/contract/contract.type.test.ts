import { z } from "zod";
import { type AnyContract, type AnyEvent, contractDeclaration, type MessageOf, type ReceivedOf } from "./contract.js";
import { documents } from "./documents.js";
import { command, event } from "./event.js";
import { topic } from "./topic.js";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Equal<A, B>): void => undefined;

const Line = z.object({ sku: z.string(), quantity: z.int() });
const orders = topic("orders", {
  key: "orderId",
  partitions: 12,
  retention: "forever",
  events: {
    placed: event(
      "order.placed",
      z.object({ orderId: z.string(), lines: z.array(Line), currency: z.string().default("GBP") }),
    ),
    // An event may have any name, also those of functions and of our own fields.
    name: event("order.named", z.object({ orderId: z.string(), title: z.string() }), { version: 2 }),
  },
});
const processPayment = command("process-payment", z.object({ orderId: z.string(), pence: z.int() }), {
  key: "orderId",
});
const accounts = documents("accounts", z.object({ customerId: z.string(), limitPence: z.int() }), {
  id: "customerId",
  version: 2,
  indexes: ["limitPence"],
  unique: ["customerId"],
  migrate: (old, from) => ({ customerId: String(old), limitPence: from }),
});

// Names and data are inferred, and short.
same<typeof orders.placed.type, "order.placed">(true);
same<MessageOf<typeof orders.name>["data"], { orderId: string; title: string }>(true);
same<ReceivedOf<typeof processPayment>["data"]["pence"], number>(true);
same<ReceivedOf<typeof orders.placed>["time"], Date>(true);
accounts.name satisfies string;

// Every contract is an AnyContract, and every event an AnyEvent; both are known inside.
const any: readonly AnyContract[] = [orders.placed, processPayment];
const events: readonly AnyEvent[] = [orders.placed, orders.name];
contractDeclaration(any[0] as AnyContract);
contractDeclaration(events[0] as AnyEvent);
contractDeclaration(processPayment({ orderId: "o-1", pence: 1 }));
// @ts-expect-error a command is not an event
export const wrongEvents: readonly AnyEvent[] = [processPayment];

export const useOfContracts = (): void => {
  orders.placed({ orderId: "o-1", lines: [{ sku: "a", quantity: 1 }], currency: "GBP" });
  // @ts-expect-error a field is missing
  orders.name({ orderId: "o-1" });
  // @ts-expect-error a field is of another type
  processPayment({ orderId: "o-1", pence: "1" });
  // @ts-expect-error a field is too many
  processPayment({ orderId: "o-1", pence: 1, foo: 2 });
  // @ts-expect-error an event name is dotted
  event("placed", z.object({}));
  // @ts-expect-error the topic has no such event
  orders.shipped;
  const [a, c] = [
    event("a.b", z.object({ id: z.string() })),
    event("a.c", z.object({ id: z.string(), why: z.string() })),
  ];
  topic("x", { key: "id", events: { a, c } });
  // @ts-expect-error the key is missing in one event
  topic("x", { key: "why", events: { a, c } });
  // @ts-expect-error a topic holds events
  topic("x", { key: "orderId", events: { processPayment } });
  // @ts-expect-error the command's schema has no such field
  command("process-payment", z.object({ orderId: z.string() }), { key: "id" });
  // @ts-expect-error a retention has a unit
  topic("x", { key: "a", retention: "30", events: { a: event("a.b", z.object({ a: z.string() })) } });
  // @ts-expect-error the documents' schema has no such field
  documents("a", z.object({ a: z.string() }), { id: "b" });
  // @ts-expect-error the documents' schema has no such field to index
  documents("a", z.object({ a: z.string() }), { id: "a", indexes: ["b"] });
  // @ts-expect-error a migration makes whole documents
  documents("a", z.object({ a: z.string() }), { id: "a", version: 2, migrate: () => ({}) });
};
