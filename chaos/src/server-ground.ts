import { randomBytes } from "node:crypto";
import pg from "pg";
import { openServices, type Services } from "tools/services";
import { type Chance, chanceOf, seedOf } from "./chance.js";
import type { StoredFacts } from "./facts.js";
import type { Ground, Place, RestWatch } from "./ground.js";
import { KafkaTopics } from "./kafka-log.js";
import { auditor, readStored } from "./postgres-facts.js";
import { PostgresTopics } from "./postgres-log.js";
import { type Losses, ReplyProxy } from "./reply-proxy.js";
import { factsOfLog, ServerWatch, type TopicReader } from "./server-log.js";
import { Upsets } from "./upsets.js";

/** Which servers, and what they meet. */
export interface ServerOptions {
  readonly engine: "postgres" | "kafka+postgres";
  readonly seed: number;
  readonly brokers: number;
  /** Many commits are overtaken by others, and no answer is lost. */
  readonly overtaking: boolean;
}

const losses: Losses = { every: 20, kinds: ["before", "during", "after", "late"] };
const overtaken: Losses = { every: 8, kinds: ["late"] };

/** PostgreSQL and Kafka of the campaign's own, in a database and under topics of its own. */
export async function serverGround({ engine, seed, brokers, overtaking }: ServerOptions): Promise<Ground> {
  const services = openServices();
  try {
    const withKafka = engine === "kafka+postgres";
    const [postgres, kafka] = await Promise.all([
      services.postgres("chaos"),
      withKafka ? services.kafka(brokers, "chaos") : undefined,
    ]);
    const name = `chaos_${randomBytes(4).toString("hex")}`;
    await administer(postgres.address, `CREATE DATABASE ${name}`);
    const direct = new URL(postgres.address);
    direct.pathname = `/${name}`;
    const chance = chanceOf(seedOf(seed, 11));
    const proxy = await ReplyProxy.open(direct, chance, overtaking ? overtaken : losses);
    const place: Place = {
      engine,
      postgres: Object.assign(new URL(direct), { hostname: "127.0.0.1", port: String(proxy.port) }).href,
      kafka: kafka?.address ?? "",
      prefix: `${name}.`,
    };
    const upsets = new Upsets([...postgres.machines, ...(kafka?.machines ?? [])], proxy);
    return new Servers({ services, place, direct: direct.href, proxy, upsets });
  } catch (error) {
    await services.close();
    throw error;
  }
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

interface Parts {
  readonly services: Services;
  readonly place: Exclude<Place, { engine: "embedded" }>;
  /** PostgreSQL, not by way of the proxy. */
  readonly direct: string;
  readonly proxy: ReplyProxy;
  readonly upsets: Upsets;
}

class Servers implements Ground {
  readonly place: Place;
  readonly pace = 3;
  readonly joiners = 2;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.place = parts.place;
    this.#parts = parts;
  }

  owner(): number {
    return -1;
  }

  upset(chance: Chance): Promise<void> | undefined {
    return this.#parts.upsets.another(chance);
  }

  upsets(): Readonly<Record<string, number>> {
    const { proxy, upsets } = this.#parts;
    const lost = Object.entries(proxy.counts).map(([kind, count]) => [`commit cut: ${kind}`, count]);
    return { ...upsets.counts, ...Object.fromEntries(lost) };
  }

  async calm(): Promise<void> {
    this.#parts.proxy.calm();
    await this.#parts.upsets.end();
  }

  async watch(): Promise<RestWatch> {
    return new ServerWatch(await auditor(this.#parts.direct), this.#topics());
  }

  async facts(): Promise<StoredFacts> {
    const client = await auditor(this.#parts.direct);
    const topics = this.#topics();
    try {
      return { ...(await readStored(client)), ...(await factsOfLog(client, topics)) };
    } finally {
      await client.end();
      await topics.close();
    }
  }

  async close(): Promise<void> {
    await this.#parts.proxy.close();
    await this.#parts.services.close();
  }

  #topics(): TopicReader {
    const { place, direct } = this.#parts;
    return place.engine === "postgres" ? new PostgresTopics(direct) : new KafkaTopics(place.kafka, place.prefix);
  }
}
