import { Core } from "../embedded/core.js";
import { prepareFile } from "../embedded/format.js";
import { OpenEmbedded } from "../embedded/open.js";
import { openDatabase } from "../embedded/sqlite.js";
import type { Engine } from "../engine/engine.js";
import { silentLogger } from "../runtime/logger.js";
import { seededRandom } from "../runtime/random.js";
import type { Outcome, Unit } from "../store/unit.js";
import { meddled } from "./faulty-store.js";
import type { Steps } from "./trial-steps.js";
import type { VirtualClock } from "./virtual-clock.js";

/**
 * One file in memory for several apps in one thread, as members of the embedded engine: each has its own leases, lanes and
 * commits, as processes have. What crosses a socket between processes is a call here, whose steps a test may hold up.
 */
export class SharedCore {
  readonly #clock: VirtualClock;
  #core: Core | undefined;
  #members = 0;
  /** Told of each commit when it is done. */
  onCommit: (units: readonly Unit[], outcomes: readonly Outcome[]) => void = () => {};

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** Of one member. With steps, its commits are `sent` to the owner, and their answers `heard`, when it is their turn. */
  engine(member: string, steps?: Steps): Engine {
    const engine: Engine = {
      name: "embedded",
      dir: undefined,
      open: async (context) => {
        const [core, reader] = this.#open();
        const opened = new OpenEmbedded({ dir: undefined, reader, member, context });
        opened.own(core);
        this.#members += 1;
        return opened;
      },
    };
    const watched = meddled(engine, (store) => ({
      commit: (units, progress) => {
        const outcomes = store.commit(units, progress) as readonly Outcome[];
        this.onCommit(units, outcomes);
        return outcomes;
      },
    }));
    return steps === undefined ? watched : far(watched, member, steps);
  }

  #open(): readonly [Core, CoreReader] {
    const known = this.#core;
    if (known !== undefined) return [known, this.#reader as CoreReader];
    const reader = openDatabase(":memory:");
    const prepared = prepareFile(reader, ":memory:", this.#clock.now());
    const context = { clock: this.#clock, random: seededRandom(1), logger: silentLogger };
    const core = new Core({ file: ":memory:", database: reader, reader, prepared, context });
    const { close } = core;
    // Each member closes what it has opened: the last one ends it.
    core.close = async () => {
      this.#members -= 1;
      if (this.#members === 0) await close.call(core);
    };
    [this.#core, this.#reader] = [core, reader];
    return [core, reader];
  }

  #reader: CoreReader | undefined;
}

type CoreReader = ReturnType<typeof openDatabase>;

function far(engine: Engine, member: string, steps: Steps): Engine {
  return meddled(engine, (store) => ({
    async commit(units, progress) {
      if (!units.some(isOfEvents)) return await store.commit(units, progress);
      await steps.reach(`${member} sent`);
      const outcomes = await store.commit(units, progress);
      await steps.reach(`${member} heard`);
      return outcomes;
    },
  }));
}

function isOfEvents({ claim: { type } }: Unit): boolean {
  return type === "record" || type === "records" || type === "lane-entry";
}
