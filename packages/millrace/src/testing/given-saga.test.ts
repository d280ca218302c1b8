import { expect, it } from "vitest";
import { z } from "zod";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { process } from "../saga/process.js";
import { saga } from "../saga/saga.js";
import { given } from "./given.js";
import {
  fulfilment,
  orders,
  outcomes,
  parcels,
  pay,
  payments,
  refund,
  release,
  reserve,
  ship,
  stock,
} from "./trial-shop.js";

const order = { orderId: "o-1", pence: 5 };
const placed = orders.placed(order);
const taken = payments.taken(order);
const reserved = stock.reserved(order);
const failed = (reason: string) => outcomes.failed({ orderId: "o-1", reason });
const about = fulfilment();

it("a saga sends a command for each reply, and what it ends with", async () => {
  await given(about, [])
    .when(placed)
    .then([pay(order)]);
  await given(about, [placed])
    .when(taken)
    .then([reserve(order)]);
  const end = await given(about, [placed, taken, reserved])
    .when(parcels.sent(order))
    .then([outcomes.confirmed(order)]);
  expect([end.state, end.status]).toEqual([order, "completed"]);
  const before = await given(about, [placed]).when(taken).outcome;
  expect([before.status, before.effects]).toEqual(["running", [reserve(order)]]);
});

it("a saga takes back what was done, last first, whatever tells it to", async () => {
  await given(about, [placed, taken])
    .when(stock.shortage(order))
    .then([refund(order)]);
  await given(about, [placed, taken, reserved])
    .when(parcels.lost(order))
    .then([release(order)]);
  const back = [placed, taken, reserved, parcels.lost(order), { command: "release", outcome: "handled" } as const];
  await given(about, back)
    .when({ command: "refund", outcome: "handled" })
    .then([failed("ship failed: parcel.lost was heard")]);
  const refused = { command: "pay", outcome: "refused", code: "BROKE" } as const;
  await given(about, [placed])
    .when(refused)
    .then([failed("pay failed: refused, BROKE")]);
  await given(about, [placed, taken]).when(orders.cancelled(order)).then([]);
  // What is under way is waited for: it may have succeeded.
  await given(about, [placed, taken, orders.cancelled(order)])
    .when(reserved)
    .then([release(order)]);
  const dead = await given(about, [placed]).when({ command: "pay", outcome: "dead", code: "X" }).then([]);
  expect(dead.status).toBe("stuck");
});

it("a saga hears that time passes: timeouts, and tries that come later", async () => {
  await given(about, [placed]).when({ elapsed: "9m" }).then([]);
  await given(about, [placed, { elapsed: "9m" }])
    .when({ elapsed: "1m" })
    .then([failed("pay: no answer within 600000 ms")]);
  const patient = fulfilment({ retry: { attemptsMax: 2, backoffFirst: "10s" } });
  await given(patient, [placed, payments.declined(order)])
    .when({ elapsed: "10s" })
    .then([pay(order)]);
  await given(patient, [placed, payments.declined(order), { elapsed: "10s" }])
    .when(taken)
    .then([reserve(order)]);
  await given(about, [placed, taken, { elapsed: "1s" }])
    .when(taken)
    .then([]);
});

it("says line by line what a saga does otherwise", async () => {
  await expect(
    given(about, [placed])
      .when(taken)
      .then([reserve({ orderId: "o-1", pence: 6 }), ship(order)]),
  ).rejects.toThrow(
    [
      'payment.taken {"orderId":"o-1","pence":5}: other effects (- expected, + made)',
      '  - reserve {"orderId":"o-1","pence":6}',
      '  + reserve {"orderId":"o-1","pence":5}',
      "      pence: 6 was expected, it is 5",
      '  - ship {"orderId":"o-1","pence":5}',
    ].join("\n"),
  );
});

let next = 0;
const unsteady = saga("unsteady", { startsOn: orders.placed, key: "orderId", state: () => ({ next: next++ }) }).step(
  "pay",
  {
    send: () => pay(order),
    done: payments.taken,
  },
);

it.each([
  [
    "a reply to nothing",
    () => given(about, [placed]).when(reserved),
    /stock.reserved answers step reserve, which has sent nothing yet/,
  ],
  [
    "an event that it does not hear",
    () => given(about, []).when(outcomes.confirmed(order)),
    /saga fulfilment does not hear outcome.confirmed; it hears order.placed, order.cancelled, payment.taken/,
  ],
  [
    "an answer to nothing",
    () => given(about, [placed]).when({ command: "ship", outcome: "refused" }),
    /has not sent ship; it has sent pay$/,
  ],
  [
    "events of two instances",
    () => given(about, [placed]).when(orders.placed({ ...order, orderId: "o-2" })),
    /events of o-1 and of o-2/,
  ],
  [
    "functions that are not pure",
    () => given(unsteady, []).when(placed),
    /not pure: .*\n.*state.next: \d was expected/,
  ],
])("says what is wrong with %s", async (_, test, text) => {
  await expect(test().then([])).rejects.toThrow(text);
});

const Cart = z.object({ cartId: z.string() });
const carts = topic("carts", {
  key: "cartId",
  events: { filled: event("cart.filled", Cart), bought: event("cart.bought", Cart), left: event("cart.left", Cart) },
});
const remind = command("remind", Cart, { key: "cartId" });
const abandoned = process("abandoned", {
  key: "cartId",
  hears: [carts.filled, carts.bought],
  emits: [remind, carts.left],
  initialState: () => ({ reminded: 0, refused: "" }),
  decide: (input) => {
    const cart = { cartId: "c-1" };
    if (input.type === "cart.filled") return [{ after: "1d", wake: "there" }];
    if (input.type === "process.woken") return [remind(cart), { after: "2h", message: carts.left(cart) }];
    return input.type === "process.answered" ? [{ end: true }] : [{ cancel: "there" }, { end: true }];
  },
  evolve: (state, input) => {
    if (input.type === "process.answered") return { ...state, refused: input.data.code ?? "" };
    return input.type === "remind" ? { ...state, reminded: state.reminded + 1 } : state;
  },
});

it("a process is woken, is told of refusals, publishes later, cancels and ends", async () => {
  const cart = { cartId: "c-1" };
  const filled = carts.filled(cart);
  await given(abandoned, [])
    .when(filled)
    .then([{ after: "24h", wake: "there" }]);
  const woken = given(abandoned, [filled]).when({ elapsed: "1d" });
  const { state } = await woken.then([remind(cart), { after: "2h", message: carts.left(cart) }]);
  expect(state).toEqual({ reminded: 1, refused: "" });
  await given(abandoned, [filled, { elapsed: "1d" }])
    .when({ elapsed: "2h" })
    .then([carts.left(cart)]);
  const bought = await given(abandoned, [filled])
    .when(carts.bought(cart))
    .then([{ cancel: "there" }]);
  expect(bought.status).toBe("ended");
  await given(abandoned, [filled, carts.bought(cart)])
    .when({ elapsed: "2d" })
    .then([]);
  const refused = { command: "remind", outcome: "refused", code: "NO_MAIL" } as const;
  const told = await given(abandoned, [filled, { elapsed: "1d" }])
    .when(refused)
    .then([]);
  expect([told.state, told.status]).toEqual([{ reminded: 1, refused: "NO_MAIL" }, "ended"]);
  await expect(
    given(abandoned, [])
      .when(filled)
      .then([{ after: "1h", wake: "there" }]),
  ).rejects.toThrow(/- after 3600000ms: wake there\n {2}\+ after 86400000ms: wake there/);
});
