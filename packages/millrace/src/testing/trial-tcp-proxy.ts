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
  close(): Promise<void>;
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
  const server = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port) });
    let silent = false;
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
      if (silent) end();
      else client.write(bytes);
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
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
