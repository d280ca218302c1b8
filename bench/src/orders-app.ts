import { embedded, millrace, type Service, service, silentLogger } from "millrace";
import { order, orders } from "./order.js";

type App = ReturnType<typeof millrace>;

/** Owns the topic of orders, and does nothing else. */
export const owner = service("orders").owns(orders);

/** An app of these services on a folder, started. */
export async function startApp(dir: string, services: readonly Service[]): Promise<App> {
  const app = millrace({ services, engine: embedded(dir), logger: silentLogger, signals: false });
  await app.start();
  return app;
}

const together = 500;

/** Puts `total` orders into the log of a folder where nobody hears them yet. */
export async function preload(dir: string, total: number): Promise<void> {
  const app = await startApp(dir, [owner]);
  for (let n = 0; n < total; n += together) {
    const count = Math.min(together, total - n);
    await app.publish(Array.from({ length: count }, (_, index) => orders.placed(order(n + index))));
  }
  await app.stop();
}
