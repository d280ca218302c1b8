import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Secure } from "./machine.js";
import { type Act, acts, openServices, type Servers, type Services } from "./services.js";

/** What a keeper answers: the servers asked for, or why not. */
export type KeeperAnswer =
  | {
      readonly address: string;
      readonly origin: string;
      readonly machines: readonly string[];
      readonly secure?: Secure | undefined;
    }
  | { readonly unavailable: string }
  | { readonly done: true };

/** A door to {@link Services} for other processes of this machine. */
export interface Keeper {
  /**
   * `POST {address}/postgres/NAME`, `/kafka/BROKERS/NAME`, `/secure-kafka`, `/machine/NAME/ACT`, `/close/MACHINE`; names may be left out. Each
   * answers a {@link KeeperAnswer} when it is done.
   */
  readonly address: string;
  readonly services: Services;
  close(): Promise<void>;
}

/** Opens the door on loopback; who does not know its address cannot find it. */
export async function openKeeper(): Promise<Keeper> {
  const services = openServices();
  const secret = randomBytes(16).toString("hex");
  const server = createServer((request, response) => {
    const reply = (body: KeeperAnswer) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(body));
    };
    answer(request, { services, secret }).then(reply, (error: unknown) =>
      reply({ unavailable: error instanceof Error ? error.message : String(error) }),
    );
  });
  // A first start downloads; requests wait for as long as it takes.
  server.requestTimeout = 0;
  await new Promise<void>((listening, failed) => {
    server.once("error", failed);
    server.listen(0, "127.0.0.1", listening);
  });
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}/${secret}`,
    services,
    async close() {
      server.closeAllConnections();
      server.close();
      await services.close();
    },
  };
}

async function answer(
  request: IncomingMessage,
  { services, secret }: { readonly services: Services; readonly secret: string },
): Promise<KeeperAnswer> {
  const [, given, what, ...names] = decodeURIComponent(request.url ?? "").split("/");
  if (given !== secret || request.method !== "POST") throw new Error("there is nothing here");
  const [first = "", second = ""] = names;
  if (what === "postgres") return describe(await services.postgres(first || undefined));
  if (what === "kafka") return describe(await services.kafka(Number(first || "1"), second || undefined));
  if (what === "secure-kafka") return describe(await services.secureKafka());
  const running = await services.running();
  if (what === "close") {
    await running.find(({ machines }) => machines.some(({ name }) => name === first))?.close();
    return { done: true };
  }
  const machine = running.flatMap(({ machines }) => machines).find(({ name }) => name === first);
  if (what !== "machine" || !isAct(second)) throw new Error(`no such request: ${what} ${second}`);
  if (machine === undefined) throw new Error(`no machine ${first}, or it is not ours to disturb`);
  await machine[second]();
  return { done: true };
}

function isAct(text: string): text is Act {
  return (acts as readonly string[]).includes(text);
}

function describe({ address, origin, machines, secure }: Servers): KeeperAnswer {
  return { address, origin, secure, machines: machines.map(({ name }) => name) };
}
