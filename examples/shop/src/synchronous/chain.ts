import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** The services in the order in which they call each other. */
export const links = [
  "orders",
  "fraud",
  "inventory",
  "payments",
  "warehouse",
  "loyalty",
  "notifications",
  "analytics",
] as const;
export type Link = (typeof links)[number];

/** The chain, running. */
export interface Chain {
  /** `POST /orders` here sets it going. */
  readonly url: string;
  /** Takes one service down, as a crash or a deployment would. */
  down(link: Link): Promise<void>;
  /** Brings it back, where it was. */
  up(link: Link): Promise<void>;
  stop(): Promise<void>;
}

/**
 * The same order as a chain of calls: eight HTTP servers, each of which does its work and then calls the next, and
 * answers when the next has answered.
 *
 * This is what the shop would be without events: the customer waits for the sum of all work, and one service that is
 * down fails every order. Real servers on loopback ports, real calls.
 *
 * @param workMs how long each service works before it calls the next (default 80)
 */
export async function startChain({ workMs = 80 }: { readonly workMs?: number } = {}): Promise<Chain> {
  const servers = new Map<Link, Server>();
  const ports = new Map<Link, number>();

  const listen = async (link: Link) => {
    const server = createServer((request, response) => {
      request.resume();
      work(link).then(
        (done) => response.writeHead(201, { "content-type": "application/json" }).end(JSON.stringify(done)),
        (error: unknown) =>
          response.writeHead(502, { "content-type": "application/json" }).end(JSON.stringify({ error: String(error) })),
      );
    });
    await new Promise<void>((done, failed) => {
      server.once("error", failed).listen(ports.get(link) ?? 0, "127.0.0.1", done);
    });
    servers.set(link, server);
    ports.set(link, (server.address() as AddressInfo).port);
  };

  async function work(link: Link): Promise<{ readonly done: readonly string[] }> {
    await new Promise((done) => setTimeout(done, workMs));
    const following = links[links.indexOf(link) + 1];
    if (following === undefined) return { done: [link] };
    const response = await fetch(`http://127.0.0.1:${ports.get(following)}/orders`, { method: "POST" }).catch(() => {
      throw new Error(`${following} is down`);
    });
    const body = (await response.json()) as { readonly done: readonly string[]; readonly error?: string };
    if (!response.ok) throw new Error(`${following} failed: ${body.error}`);
    return { done: [link, ...body.done] };
  }

  const down = (link: Link) =>
    new Promise<void>((done) => {
      const server = servers.get(link);
      if (!servers.delete(link)) return done();
      server?.close(() => done());
      server?.closeAllConnections();
    });

  for (const link of links) await listen(link);
  return {
    url: `http://127.0.0.1:${ports.get("orders")}`,
    down,
    up: async (link) => {
      if (!servers.has(link)) await listen(link);
    },
    stop: async () => void (await Promise.all(links.map(down))),
  };
}
