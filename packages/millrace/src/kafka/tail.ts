import type { Logger } from "../runtime/logger.js";
import type { Cluster } from "./cluster.js";
import type { Directory, TopicPlace } from "./directory.js";
import { type FetchedPart, type FetchSession, fetchCall } from "./fetch.js";
import { cameOf, leaderOf } from "./fetcher.js";
import type { Memory } from "./memory.js";
import { protocol } from "./trouble.js";

const waitMsMax = 250;
const bytesMax = 1 << 20;
const partitionBytesMax = 256 * 1_024;
const troublePauseMs = 200;
const newSession: FetchSession = { id: 0, epoch: 0 };

/** A partition whose end a reader has come to. */
interface Followed {
  readonly key: string;
  readonly place: TopicPlace;
  readonly partition: number;
  broker: number;
  /** Everything before it was in memory once. */
  offset: number;
  /** The request that waits asks for it. */
  asked: boolean;
  /** Its end, as far as it is known: further on than `offset` while what this process has appended is on its way back. */
  end: number;
}

/** What the tail is made of. `cluster` is its own: a request that waits keeps a connection from all others. */
export interface TailParts {
  readonly cluster: Cluster;
  readonly directory: Directory;
  readonly memory: Memory;
  readonly logger: Logger;
}

/**
 * Follows the ends of the partitions in use, with one request per broker that waits for what comes; says which topics
 * grew. A partition is followed from where a reader came to its end, until readers no longer keep up: then they fetch by
 * themselves, and come to its end again.
 */
export class Tail {
  readonly #parts: TailParts;
  readonly #followed = new Map<string, Followed>();
  readonly #loops = new Map<number, BrokerLoop>();
  readonly #listeners = new Set<(topics: readonly string[]) => void>();
  readonly #waiting: (() => void)[] = [];

  constructor(parts: TailParts) {
    this.#parts = parts;
    parts.memory.onUnread = ({ id, partition }) => void this.#followed.delete(`${id}/${partition}`);
  }

  onAppended(heard: (topics: readonly string[]) => void): () => void {
    this.#listeners.add(heard);
    return () => void this.#listeners.delete(heard);
  }

  /** Whether an offset is the end of its partition, as far as anybody here knows. */
  isEnd({ id }: Pick<TopicPlace, "id">, partition: number, offset: number): boolean {
    const followed = this.#followed.get(`${id}/${partition}`);
    return followed?.offset === offset && followed.end <= offset;
  }

  /** Whether what follows an offset is on its way here. */
  brings({ id }: Pick<TopicPlace, "id">, partition: number, offset: number): boolean {
    const followed = this.#followed.get(`${id}/${partition}`);
    return followed?.asked === true && followed.offset === offset && followed.end > offset;
  }

  /** Resolves when something came, or was found not to come. */
  turned(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** A reader has come to the end of a partition: what comes next is brought without being asked for. */
  follow(place: TopicPlace, partition: number, offset: number): void {
    const key = `${place.id}/${partition}`;
    if (this.#followed.has(key) || this.#parts.cluster.closed) return;
    const followed = { key, place, partition, offset, end: offset, asked: false, broker: leaderOf(place, partition) };
    this.#followed.set(key, followed);
    this.#loop(followed.broker);
  }

  /** This process has appended up to these ends: whoever was at one of them is not any more. */
  appended(ends: readonly { readonly place: TopicPlace; readonly partition: number; readonly end: number }[]): void {
    const grown = new Set<string>();
    for (const { place, partition, end } of ends) {
      grown.add(place.topic);
      const followed = this.#followed.get(`${place.id}/${partition}`);
      if (followed !== undefined) followed.end = Math.max(followed.end, end);
    }
    this.#ring([...grown]);
  }

  /** The partitions that a broker leads. */
  led(broker: number): readonly Followed[] {
    return [...this.#followed.values()].filter((followed) => followed.broker === broker);
  }

  #loop(broker: number): void {
    if (this.#loops.has(broker)) return;
    const loop = new BrokerLoop(broker, this.#parts, {
      led: () => this.led(broker),
      came: (parts) => this.#came(parts),
      lost: (followed) => this.#lost(followed),
    });
    this.#loops.set(broker, loop);
    void loop.run().finally(() => {
      this.#loops.delete(broker);
      if (this.led(broker).length > 0 && !this.#parts.cluster.closed) this.#loop(broker);
    });
  }

  #came(parts: readonly { readonly followed: Followed; readonly part: FetchedPart }[]): void {
    const grown = new Set<string>();
    for (const { followed, part } of parts) {
      if (this.#followed.get(followed.key) !== followed) continue;
      const { place, partition, offset } = followed;
      try {
        const { place: at, cursor } = cameOf(place, part, { partition, offset });
        const { end } = cursor;
        if (end <= offset) continue;
        followed.offset = end;
        followed.end = Math.max(followed.end, end);
        this.#parts.memory.add(at, cursor);
      } catch {
        // Its readers find out for themselves what is wrong with it, and say so.
        this.#followed.delete(followed.key);
      }
      grown.add(place.topic);
    }
    this.#ring([...grown]);
    this.#turn();
  }

  /** Its broker leads it no more, or cannot be asked: who waits for it asks for himself. */
  async #lost({ key, place: { topic } }: Followed): Promise<void> {
    this.#turn();
    try {
      const place = await this.#parts.directory.refresh(topic);
      const followed = this.#followed.get(key);
      if (followed === undefined) return;
      followed.broker = leaderOf(place, followed.partition);
      this.#loop(followed.broker);
    } catch (error) {
      // Unreachable: it is tried again. Gone: its readers are told when they ask.
      if ((error as { verdict?: string }).verdict !== "stop") return;
      this.#followed.delete(key);
      this.#ring([topic]);
    }
  }

  #turn(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }

  #ring(topics: readonly string[]): void {
    if (topics.length > 0) for (const heard of this.#listeners) heard(topics);
  }
}

/** What a loop tells its tail. */
interface LoopHost {
  led(): readonly Followed[];
  came(parts: readonly { readonly followed: Followed; readonly part: FetchedPart }[]): void;
  lost(followed: Followed): Promise<void>;
}

/** Asks one broker, over and over, for what comes behind the ends of the partitions that it leads. */
class BrokerLoop {
  readonly #broker: number;
  readonly #parts: TailParts;
  readonly #host: LoopHost;
  #session = newSession;
  /** What the broker knows of the session's partitions: from where each is to be fetched. */
  #said = new Map<string, Followed & { readonly from: number }>();

  constructor(broker: number, parts: TailParts, host: LoopHost) {
    this.#broker = broker;
    this.#parts = parts;
    this.#host = host;
  }

  /** Until nothing is followed there. */
  async run(): Promise<void> {
    const { cluster } = this.#parts;
    // Partitions come to be followed together.
    await new Promise((resume) => setImmediate(resume));
    while (!cluster.closed) {
      const led = this.#host.led();
      if (led.length === 0) return;
      try {
        await this.#turn(led);
      } catch (error) {
        if (cluster.closed) return;
        this.#parts.logger.debug(
          { err: error, broker: this.#broker },
          "the ends of topics cannot be followed; trying again",
        );
        this.#forget();
        await cluster.pause(troublePauseMs);
        const topics = new Map(this.#host.led().map((followed) => [followed.place.topic, followed]));
        await Promise.all([...topics.values()].map((followed) => this.#lostTopic(followed)));
      }
    }
  }

  async #lostTopic({ place: { topic } }: Followed): Promise<void> {
    for (const followed of this.#host.led()) if (followed.place.topic === topic) await this.#host.lost(followed);
  }

  async #turn(led: readonly Followed[]): Promise<void> {
    const full = this.#session.epoch <= 0;
    const current = new Map(led.map((followed) => [followed.key, followed]));
    for (const followed of led) followed.asked = true;
    const changed = full ? led : led.filter(({ key, offset }) => this.#said.get(key)?.from !== offset);
    const gone = full ? [] : [...this.#said.values()].filter(({ key }) => !current.has(key));
    const { error, session, parts } = await this.#parts.cluster.request(
      this.#broker,
      fetchCall({
        parts: changed.map((followed) => ({
          topicId: followed.place.id,
          partition: followed.partition,
          offset: followed.offset,
          bytesMax: partitionBytesMax,
        })),
        forgotten: gone.map(({ place, partition }) => ({ topicId: place.id, partition })),
        session: this.#session,
        waitMsMax,
        bytesMin: 1,
        bytesMax,
      }),
    );
    if (error !== protocol.none) return this.#forget();
    for (const followed of changed) this.#said.set(followed.key, { ...followed, from: followed.offset });
    for (const { key } of gone) this.#said.delete(key);
    this.#next(session);
    await this.#take(parts, current);
  }

  /** A broker that gives no session is told everything each time. */
  #next(session: number): void {
    const { epoch } = this.#session;
    if (session === 0) this.#session = { id: 0, epoch: -1 };
    else this.#session = { id: session, epoch: epoch <= 0 ? 1 : epoch === 2 ** 31 - 1 ? 1 : epoch + 1 };
  }

  async #take(parts: readonly FetchedPart[], current: ReadonlyMap<string, Followed>): Promise<void> {
    const came: { followed: Followed; part: FetchedPart }[] = [];
    for (const part of parts) {
      const followed = current.get(`${part.topicId}/${part.partition}`);
      if (followed === undefined) continue;
      // Where it was to be fetched from is where it stood when the request was made.
      if (part.error === protocol.none || part.error === protocol.offsetOutOfRange) came.push({ followed, part });
      else await this.#host.lost(followed);
    }
    this.#host.came(came);
  }

  #forget(): void {
    this.#session = newSession;
    this.#said = new Map();
    for (const followed of this.#host.led()) followed.asked = false;
  }
}
