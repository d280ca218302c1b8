import { z } from "zod";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { fulfilment, orders, outcomes, parcels, pay, payments, refund, ship } from "../testing/trial-shop.js";
import { saga } from "./saga.js";

const mails = topic("mails", { key: "mailId", events: { sent: event("mail.sent", z.object({ mailId: z.string() })) } });
const post = command("post", z.object({ mailId: z.string() }), { key: "mailId" });

/** What must compile does, and what must not does not. Nothing of it runs. */
export function typed(): void {
  const made = saga("typed", {
    startsOn: orders.placed,
    key: "orderId",
    state: ({ data }) => ({ orderId: data.orderId, pence: data.pence, paid: 0 }),
  }).step("pay", {
    send: (s) => pay({ orderId: s.orderId, pence: s.pence satisfies number }),
    done: payments.taken,
    onDone: (s, { data }) => ({ ...s, paid: data.pence }),
    failed: [payments.declined],
    undo: (s) => refund({ orderId: s.orderId, pence: s.paid }),
    timeout: "30s",
    retry: { attemptsMax: 2, backoffFirst: "10s" },
  });
  made
    // @ts-expect-error a reply must carry the saga's key
    .step("bad", { send: () => post({ mailId: "1" }), done: mails.sent })
    // @ts-expect-error so must what aborts it
    .abortOn(mails.sent)
    // @ts-expect-error a command is no reply
    .step("worse", { send: (s) => pay(s), done: pay });
  made
    // @ts-expect-error the state has no such field
    .step("ship", { send: (s) => ship({ orderId: s.order, pence: 1 }), done: parcels.sent })
    // @ts-expect-error commands are not published
    .completed((s) => pay(s))
    .aborted((s, why) => outcomes.failed({ orderId: s.orderId, reason: why.reason satisfies string }));
  // @ts-expect-error the key is a field of the event that starts it
  saga("keyless", { startsOn: orders.placed, key: "mailId", state: () => ({}) });
  fulfilment().step("more", {
    send: (s) => ship(s),
    done: parcels.sent,
    // @ts-expect-error the state stays what it is
    onDone: (s) => s.orderId,
  });
}
