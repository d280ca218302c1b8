import type { MillraceApp } from "millrace";
import { registerCustomer } from "./contracts/customers.js";
import { placeOrder } from "./contracts/orders.js";
import { catalogue } from "./orders/catalogue.js";

const people = ["Ada", "Alan", "Barbara", "Edsger", "Grace", "Tony"] as const;
/** One order in so many gives a postcode that the warehouse's label printer cannot print. */
const unprintableEvery = 12;

/**
 * Places an order now and then, until stopped, as customers would.
 *
 * @param everyMs the mean time between two orders
 */
export function startTraffic(app: MillraceApp, { everyMs }: { readonly everyMs: number }): { stop(): void } {
  let placed = 0;
  let timer: NodeJS.Timeout | undefined;
  const next = () => {
    timer = setTimeout(
      () => {
        placed += 1;
        // A failed order is the process stopping, or a full disk: the app has said so already.
        place(app, placed).then(next, () => undefined);
      },
      everyMs * (0.5 + Math.random()),
    );
  };
  register(app).then(next, () => undefined);
  return { stop: () => clearTimeout(timer) };
}

/** Sent at each start. Registering a customer again with the same particulars is one more event that says the same. */
async function register(app: MillraceApp): Promise<void> {
  for (const name of people) {
    const customerId = name.toLowerCase();
    const email = `${customerId}@customers.example`;
    await app.send(registerCustomer({ customerId, name, email, country: "United Kingdom" }));
  }
}

async function place(app: MillraceApp, number: number): Promise<void> {
  const name = pick(people);
  const postcode = number % unprintableEvery === 0 ? "n1 9gu (ring twice)" : "N1 9GU";
  const lines = [
    { sku: pick(Object.keys(catalogue)), quantity: 1 + Math.floor(Math.random() * 4) },
    { sku: "cup-red", quantity: 1 + Math.floor(Math.random() * 6) },
  ];
  await app.send(
    placeOrder({
      orderId: `auto-${crypto.randomUUID().slice(0, 8)}`,
      customerId: name.toLowerCase(),
      country: "United Kingdom",
      lines,
      deliverTo: { name, street: "1 Mill Lane", postcode },
    }),
  );
}

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)] as T;
}
