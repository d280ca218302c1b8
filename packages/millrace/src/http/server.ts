import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono, MiddlewareHandler } from "hono";
import { Failure } from "../failure/failure.js";
import type { Clock } from "../runtime/clock.js";

/** A server that listens. */
export interface Listening {
  readonly url: string;
  /** Takes no more connections, lets requests in flight finish within the time, then cuts the rest. */
  close(drainMs: number): Promise<void>;
}

/** A request has to be here by then, headers first: slow senders do not hold connections for ever. */
const requestTimeout = 30_000;
const headersTimeout = 10_000;

/**
 * Serves on the address.
 *
 * @param option what to name in messages: `http`
 * @throws {Failure} OPTION_INVALID when the port is taken or the address is not of this machine.
 */
export async function listen(
  hono: Hono,
  where: { host: string; port: number; clock: Clock; option: string },
): Promise<Listening> {
  const server = createAdaptorServer({
    fetch: hono.fetch,
    hostname: where.host,
    serverOptions: { requestTimeout, headersTimeout },
  }) as Server;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(notListening(where, cause)));
    server.listen(where.port, where.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const name = where.host.includes(":") ? `[${where.host}]` : where.host;
  return { url: `http://${name}:${port}`, close: (drainMs) => drain(server, drainMs, where.clock) };
}

async function drain(server: Server, drainMs: number, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const cancel = clock.after(drainMs, () => server.closeAllConnections());
  await closed;
  cancel();
}

/** While the server closes, each answer also closes its connection; otherwise keep-alive would hold it open. */
export function closing(isClosing: () => boolean): MiddlewareHandler {
  return async (c, next) => {
    await next();
    if (isClosing()) c.header("connection", "close");
  };
}

function notListening(where: { host: string; port: number; option: string }, cause: NodeJS.ErrnoException): Failure {
  const at = `${where.option}: cannot listen on ${where.host}:${where.port}`;
  if (cause.code === "EADDRINUSE") {
    return new Failure(
      "OPTION_INVALID",
      `${at}: the port is taken; stop the other program or set ${where.option}.port to another (0: any)`,
      {
        cause,
        details: { option: `${where.option}.port` },
      },
    );
  }
  return new Failure(
    "OPTION_INVALID",
    `${at}: ${cause.code ?? cause.message}; set ${where.option}.host to an address of this machine`,
    {
      cause,
      details: { option: `${where.option}.host` },
    },
  );
}
