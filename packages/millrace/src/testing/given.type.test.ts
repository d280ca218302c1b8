import { z } from "zod";
import { documents } from "../contract/documents.js";
import { projection } from "../projection/projection.js";
import { service } from "../service/declare.js";
import { given } from "./given.js";
import { fulfilment, orders, pay } from "./trial-shop.js";

const order = { orderId: "o-1", pence: 5 };
const view = projection("sums", { version: 1, row: z.object({ pence: z.int() }) }).on(orders.placed, () => ({
  pence: 1,
}));
const sums = documents("sums", z.object({ id: z.string(), pence: z.int() }), { id: "id" });

/** What must compile does, and what must not does not. Nothing of it runs. */
export async function typed(): Promise<void> {
  given(view, [orders.placed(order)]).rows["o-1"]?.pence satisfies number | undefined;
  // @ts-expect-error a row has all its fields
  given(view, []).then({ "o-1": {} });
  // @ts-expect-error a projection hears events
  given(view, [pay(order)]);

  const told = await given(fulfilment(), [orders.placed(order), { elapsed: "1d" }])
    .when({ command: "pay", outcome: "refused", code: "NO" })
    .then([pay(order)]);
  told.state?.pence satisfies number | undefined;
  told.status satisfies string | undefined;
  // @ts-expect-error a saga hears no commands
  given(fulfilment(), []).when(pay(order));
  // @ts-expect-error nothing has such an outcome
  given(fulfilment(), []).when({ command: "pay", outcome: "lost" });

  const done = await given(service("till"), [[sums, { id: "1", pence: 1 }]])
    .when(pay(order))
    .then({ refused: "NO" });
  done.documents(sums).get("1")?.pence satisfies number | undefined;
  // @ts-expect-error a document has all its fields
  given(service("till"), [[sums, { id: "1" }]]);
  // @ts-expect-error what is expected comes first
  await given(service("till")).when(pay(order));
}
