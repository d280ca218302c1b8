import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A door to a server of one's own, through which every byte goes. */
export interface TcpProxy {
  /** The server's URL, by way of the proxy. */
  readonly url: string;
  /**
   * The next time that a client sends this, it is passed on, and the connection ends before anything of the answer comes
   * back. Resolves when that has happened.
   */
  loseAnswerTo(text: string): Promise<void>;
  /** The next time that a client sends this, the connection ends, and the server never hears of it. */
  loseRequest(text: string): Promise<void>;
  /** The next time that a client sends this, it stands still from there on, as a process does that was stopped. */
  freezeAt(text: string): Promise<void>;
  /** The nth new client from now hears in one breath that it is let in, and that the server shuts down. Resolves when it has. */
  dismiss(nth: number): Promise<void>;
  close(): Promise<void>;
}

/** What PostgreSQL says when a client may ask its first question, and no transaction is open. */
const ready = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
const shutdown = errorResponse({ S: "FATAL", V: "FATAL", C: "57P01", M: "terminating connection due to a test" });

function errorResponse(fields: Readonly<Record<string, string>>): Buffer {
  const body = Buffer.from(
    Object.entries(fields)
      .map(([type, text]) => `${type}${text}\0`)
      .join("")
      .concat("\0"),
  );
  const head = Buffer.alloc(5, "E");
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

interface Fault {
  readonly text: string;
  readonly then: "answer lost" | "request lost" | "frozen";
  happened(): void;
}

/** Stands between clients and the server of a URL. */
export async function tcpProxy(to: string): Promise<TcpProxy> {
  const target = new URL(to);
  const sockets = new Set<Socket>();
  let fault: Fault | undefined;
  let dismissal: { left: number; happened(): void } | undefined;
  const server = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port) });
    let silent = false;
    let isNew = true;
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", end);
      socket.on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    client.on("data", (bytes) => {
      if (fault !== undefined && bytes.includes(fault.text)) {
        const { then, happened } = fault;
        fault = undefined;
        silent = then === "answer lost";
        if (then === "answer lost") upstream.write(bytes);
        else if (then === "request lost") end();
        else client.pause();
        happened();
        return;
      }
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      // The answer is here: it was done. Nobody hears of it.
      if (silent) return end();
      if (!isNew || !bytes.subarray(-ready.length).equals(ready)) return void client.write(bytes);
      isNew = false;
      if (dismissal === undefined || --dismissal.left > 0) return void client.write(bytes);
      client.end(Buffer.concat([bytes, shutdown]));
      dismissal.happened();
      dismissal = undefined;
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(to);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const next = (text: string, then: Fault["then"]) =>
    new Promise<void>((happened) => {
      fault = { text, then, happened };
    });
  return {
    url: url.href,
    loseAnswerTo: (text) => next(text, "answer lost"),
    loseRequest: (text) => next(text, "request lost"),
    freezeAt: (text) => next(text, "frozen"),
    dismiss: (nth) =>
      new Promise((happened) => {
        dismissal = { left: nth, happened };
      }),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
