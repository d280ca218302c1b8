import type { SeenLog } from "../engine/halves.js";
import { systemClock } from "../runtime/clock.js";
import type { Duration } from "../runtime/duration.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import type { Inspect } from "../store/inspect.js";
import { type EngineHalves, openServers, sayingWhere } from "./engine-halves.js";

/** Servers that are only looked at. */
export interface ServerSight {
  readonly inspect: Inspect;
  close(): Promise<void>;
}

/**
 * Looks at servers beside the processes that use them, or without any. The log is reached when something of it is asked for,
 * so that what the store knows can be seen while the log is away.
 *
 * @throws {Failure} PEER_MISSING; NOT_FOUND when nothing of Millrace is there; STORE_FORMAT; STORE_UNAVAILABLE
 */
export async function lookAtServers(halves: EngineHalves, patience: Duration): Promise<ServerSight> {
  const servers = await openServers(halves, patience);
  const log = new LateLog(() => servers.seenLog({ clock: systemClock, random: systemRandom, logger: silentLogger }));
  const close = async () => {
    await log.close();
    await servers.end();
  };
  try {
    const [{ openReadOnly }, { sharedSchemaDefault }] = [
      await import("../postgres/read-only.js"),
      await import("../postgres/names.js"),
    ];
    const { schema: shared = sharedSchemaDefault } = halves.store;
    const inspect = await sayingWhere(halves.store, () =>
      openReadOnly({ pool: servers.pool, shared, log, now: () => systemClock.now() }),
    );
    return { inspect, close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Opened = SeenLog & { close?(): Promise<void> };

/** A log that is opened when it is first read. */
class LateLog implements SeenLog {
  readonly #open: () => Promise<Opened>;
  #opened: Promise<Opened> | undefined;

  constructor(open: () => Promise<Opened>) {
    this.#open = open;
  }

  read: SeenLog["read"] = async (request) => (await this.#log()).read(request);
  record: SeenLog["record"] = async (place) => (await this.#log()).record(place);
  ends: SeenLog["ends"] = async (topic) => (await this.#log()).ends(topic);
  starts: SeenLog["starts"] = async (topic) => (await this.#log()).starts(topic);
  offsetsAt: SeenLog["offsetsAt"] = async (topic, at) => (await this.#log()).offsetsAt(topic, at);
  topics: SeenLog["topics"] = async () => (await this.#log()).topics();
  preflight: SeenLog["preflight"] = async (declared) => (await this.#log()).preflight(declared);

  async close(): Promise<void> {
    // One that could not be opened has nothing to close.
    await this.#opened?.then(
      (log) => log.close?.(),
      () => {},
    );
  }

  #log(): Promise<Opened> {
    this.#opened ??= this.#open();
    return this.#opened;
  }
}
