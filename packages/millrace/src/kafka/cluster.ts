import {
  Admin,
  Base,
  type ClusterMetadata,
  type Connection,
  initProducerIdV4,
  type Reader,
  Writer,
} from "@platformatic/kafka";
import type { EngineContext } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import type { Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import type { KafkaSettings } from "./options.js";
import type { BatchWriter } from "./record-batch.js";
import { failureOf, isPassingError, isTimeout } from "./trouble.js";

/** A request to one broker: what is sent, and how the answer is read. */
export interface Call<Answer> {
  /** The protocol's number for the kind of request, and the version spoken. */
  readonly key: number;
  readonly version: number;
  body(): Buffer;
  parse(bytes: Buffer): Answer;
}

const backoffMs = { first: 50, max: 1_000 };

/**
 * Connections to the brokers of a cluster, through the user's own settings. A connection that let a request time out is
 * never used again: what comes late on it would be taken for another answer.
 */
export class Cluster {
  readonly settings: KafkaSettings;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #base: Base;
  #closed = false;
  /** Whom to ask about the cluster, in this order. */
  #first: readonly string[];
  readonly #safe = new WeakSet<Connection>();

  constructor(settings: KafkaSettings, { clock, logger }: Pick<EngineContext, "clock" | "logger">) {
    this.settings = settings;
    this.#clock = clock;
    this.#logger = logger;
    this.#first = settings.client.bootstrapBrokers.map((broker) =>
      typeof broker === "string" ? broker : `${broker.host}:${broker.port}`,
    );
    this.#base = new Base({ ...settings.client });
  }

  /** One request to one broker, once. */
  async request<Answer>(broker: number, call: Call<Answer>): Promise<Answer> {
    const base = this.#base;
    const { brokers } = base.currentMetadata ?? (await this.metadata([]));
    const place = brokers.get(broker);
    if (place === undefined)
      throw new Failure("STORE_UNAVAILABLE", `broker ${broker} is not in the cluster at the moment`);
    const connection = await base.connections.get(place);
    if (!this.#safe.has(connection)) {
      this.#safe.add(connection);
      // Who waits for an answer hears of it there; without a listener the event would end the process.
      connection.on("error", () => undefined);
    }
    try {
      return await send(connection, call);
    } catch (error) {
      if (isTimeout(error)) connection.socket.destroy();
      throw error;
    }
  }

  /** What the cluster says of itself and of these topics, asked now. */
  async metadata(topics: readonly string[]): Promise<ClusterMetadata> {
    const base = this.#base;
    try {
      return await base.metadata({ topics: [...topics], forceUpdate: true, autocreateTopics: false });
    } catch (error) {
      this.#give(base, error);
      throw error;
    }
  }

  /** A number that no writer has had, and sequence 0. */
  async initProducer(): Promise<BatchWriter> {
    const { brokers } = await this.metadata([]);
    const base = this.#base;
    try {
      const connection = await base.connections.getFirstAvailable([...brokers.values()]);
      const { producerId, producerEpoch } = await initProducerIdV4.api.async(connection, null, 0, -1n, -1);
      return { producer: producerId, epoch: producerEpoch, sequence: 0 };
    } catch (error) {
      this.#give(base, error);
      throw error;
    }
  }

  /** Does something with an administrator's client, which is closed again. */
  async administer<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = new Admin({ ...this.settings.client, bootstrapBrokers: [...this.#first] });
    try {
      return await work(admin);
    } catch (error) {
      if (isTimeout(error)) this.#others();
      throw error;
    } finally {
      drop(admin);
    }
  }

  /**
   * Tries again, with growing pauses, what fails for reasons that pass, until the patience is at its end.
   *
   * @throws {Failure} STORE_UNAVAILABLE then, or when the cluster refuses for good.
   */
  async patiently<T>(what: string, work: () => Promise<T>): Promise<T> {
    const began = this.#clock.monotonic();
    let told = false;
    for (let pause = backoffMs.first; ; pause = Math.min(pause * 2, backoffMs.max)) {
      try {
        return await work();
      } catch (error) {
        const late = this.#clock.monotonic() - began + pause > this.settings.patienceMs;
        if (this.#closed || late || !isPassingError(error)) throw failureOf(error, what);
        if (pause === backoffMs.max && !told) this.#tell(failureOf(error, what));
        told ||= pause === backoffMs.max;
        await this.pause(pause);
      }
    }
  }

  /** It has gone on for a while: whoever waits for it is told why. */
  #tell({ code, message }: Failure): void {
    const { patienceMs } = this.settings;
    this.#logger.warn({ code, patienceMs }, `${message}; trying again, for ${patienceMs / 1_000} s at the most`);
  }

  pause(ms: number): Promise<void> {
    return new Promise((resume) => void this.#clock.after(ms, resume));
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Ends connections at once: what waits for an answer fails. */
  close(): void {
    this.#closed = true;
    drop(this.#base);
  }

  #give(base: Base, error: unknown): void {
    if (!isTimeout(error) || base !== this.#base || this.#closed) return;
    this.#others();
    this.#base = new Base({ ...this.settings.client, bootstrapBrokers: [...this.#first] });
    drop(base);
  }

  /** The library asks the first broker that lets it connect, as one does that is stopped: another is the first now. */
  #others(): void {
    const known = [...(this.#base.currentMetadata?.brokers.values() ?? [])].map(({ host, port }) => `${host}:${port}`);
    const all = [...new Set([...this.#first, ...known])];
    this.#first = [...all.slice(1), ...all.slice(0, 1)];
  }
}

function send<Answer>(connection: Connection, call: Call<Answer>): Promise<Answer> {
  const payload = () => Writer.create().append(call.body());
  const parse = (_id: number, _key: number, _version: number, reader: Reader) => call.parse(reader.buffer.buffer);
  return new Promise((resolve, reject) => {
    connection.send<Answer>(call.key, call.version, payload, parse, true, true, (error, answer) => {
      if (error) reject(error);
      else resolve(answer as Answer);
    });
  });
}

/** Not closed in good order: a broker that does not answer would keep us waiting. */
function drop(client: Base): void {
  const connections = [...client.connections].map(([, connection]) => connection);
  void client.close().catch(() => undefined);
  for (const connection of connections) connection.socket?.destroy();
}
