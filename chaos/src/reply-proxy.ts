import { connect, createServer, type Server, type Socket } from "node:net";
import type { Chance } from "./chance.js";

/**
 * What happens to a COMMIT on its way. before: the connection is cut, and the server never hears of it. during: it is cut when
 * the server has been told. after: it is cut when the server has answered, before the answer is passed on. late: the server is told
 * a while later, so that others overtake it.
 */
export type Loss = "before" | "during" | "after" | "late";

/** How often what happens. */
export interface Losses {
  /** Of so many commits, something happens to one, on average. */
  readonly every: number;
  readonly kinds: readonly Loss[];
}

const lateMs = { from: 20, to: 600 };
const query = 0x51;

/** Stands between PostgreSQL and its clients, without TLS, and loses answers to COMMIT. */
export class ReplyProxy {
  /** How often what has happened. */
  readonly counts: Record<Loss, number> = { before: 0, during: 0, after: 0, late: 0 };
  readonly #server: Server;
  readonly #chance: Chance;
  readonly #cuts = new Set<() => void>();
  #losses: Losses;

  private constructor(server: Server, chance: Chance, losses: Losses) {
    this.#server = server;
    this.#chance = chance;
    this.#losses = losses;
  }

  /** Listens on loopback, for the server that a URL names. */
  static async open({ hostname, port }: URL, chance: Chance, losses: Losses): Promise<ReplyProxy> {
    const server = createServer({ noDelay: true });
    const proxy = new ReplyProxy(server, chance, losses);
    server.on("connection", (client) => proxy.#pass(client, { host: hostname, port: Number(port) }));
    await new Promise<void>((listening, failed) => {
      server.once("error", failed);
      server.listen(0, "127.0.0.1", listening);
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Loses no more. */
  calm(): void {
    this.#losses = { every: Number.POSITIVE_INFINITY, kinds: [] };
  }

  /** Cuts all connections. */
  sever(): void {
    for (const cut of this.#cuts) cut();
  }

  async close(): Promise<void> {
    this.sever();
    await new Promise<void>((closed) => {
      this.#server.close(() => closed());
    });
  }

  #pass(client: Socket, place: { readonly host: string; readonly port: number }): void {
    const server = connect({ ...place, noDelay: true });
    const cut = (): void => {
      this.#cuts.delete(cut);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.on("error", cut);
      socket.on("close", cut);
    }
    this.#cuts.add(cut);
    const messages = new Messages();
    let mute = false;
    server.on("data", (bytes) => {
      if (mute) cut();
      else client.write(bytes);
    });
    client.on("data", (bytes) => {
      const loss = messages.commits(bytes) ? this.#loss() : undefined;
      if (loss === "before") return cut();
      if (loss === "after") mute = true;
      if (loss !== "late") server.write(bytes);
      else {
        client.pause();
        setTimeout(
          () => {
            server.write(bytes);
            client.resume();
          },
          this.#chance.whole(lateMs.from, lateMs.to),
        ).unref();
      }
      // Ended in order, so that what was written comes there.
      if (loss === "during") {
        server.end();
        client.destroy();
      }
    });
  }

  #loss(): Loss | undefined {
    const { every, kinds } = this.#losses;
    if (kinds.length === 0 || this.#chance.next() * every >= 1) return undefined;
    const loss = this.#chance.pick(kinds);
    this.counts[loss] += 1;
    return loss;
  }
}

/** Finds the messages that a client sends: https://www.postgresql.org/docs/current/protocol-message-formats.html */
class Messages {
  #rest: Buffer = Buffer.alloc(0);
  /** The first message has no type. */
  #started = false;

  /** Whether a COMMIT is among what these bytes complete. */
  commits(bytes: Buffer): boolean {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let found = false;
    for (;;) {
      const type = this.#started ? 1 : 0;
      if (this.#rest.length < type + 4) return found;
      const length = this.#rest.readInt32BE(type) + type;
      if (this.#rest.length < length) return found;
      if (this.#started && this.#rest[0] === query && /^\s*COMMIT\b/i.test(this.#rest.toString("utf8", 5, length - 1)))
        found = true;
      this.#started = true;
      this.#rest = this.#rest.subarray(length);
    }
  }
}
