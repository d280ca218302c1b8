import type { Subscription } from "../consumer/declaration.js";
import type { Handler } from "../consumer/handler.js";
import type { Engine } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import type { ServiceDeclaration } from "../service/service.js";
import type { Outcome, Position, Unit } from "../store/unit.js";
import { faulty, meddled } from "./faulty-store.js";

/** When a process dies, and whether it is dead. */
export interface Crash {
  after: number | undefined;
  commits: number;
  dead: boolean;
}

/** An engine that is gone once so many commits are on disk: nobody hears of the last, and nothing more is stored. */
export function crashing(engine: Engine, crash: Crash): Engine {
  const dead = () => new Failure("STORE_UNAVAILABLE", "this process plays dead");
  return faulty(engine, {
    before() {
      if (crash.dead) throw dead();
    },
    after() {
      crash.commits += 1;
      if (crash.commits !== crash.after) return;
      crash.dead = true;
      throw dead();
    },
  });
}

/** An engine that throws away what each event's handler did, once; it is run again then. */
export function rerunning(engine: Engine): Engine {
  const seen = new Set<string>();
  const thrownAway = (unit: Unit): boolean => {
    const name = nameOf(unit);
    if (name === undefined || seen.has(name)) return false;
    seen.add(name);
    return true;
  };
  return meddled(engine, (store) => ({
    async commit(units, progress) {
      const away = units.map(thrownAway);
      const kept = units.filter((_, index) => away[index] !== true);
      const outcomes = [...(await store.commit(kept, progress))];
      return away.map((is): Outcome => (is ? { type: "reload" } : (outcomes.shift() as Outcome)));
    },
  }));
}

/** Which run of which event it is; undefined when it is none: what is set aside was not handled. */
function nameOf({ claim, effects }: Unit): string | undefined {
  if (effects.entry !== undefined || effects.change !== undefined) return undefined;
  if (claim.type === "lane-entry")
    return `${claim.position.consumer}/${claim.entry}/${claim.redrives}/${claim.attempt}`;
  if (claim.type === "records")
    return claim.parts.map(({ position, ranges }) => `${placeOf(position)}/${ranges}`).join();
  return claim.type === "record" ? `${placeOf(claim.position)}/${claim.offset}` : undefined;
}

const placeOf = ({ consumer, topic, partition, generation }: Position): string =>
  `${consumer}/${topic}/${partition}/${generation}`;

const waitMsMax = 200;

/** The same services, whose handlers begin after a wait of chance: within a key the order stays, across keys it changes. */
export function shuffling(
  services: readonly ServiceDeclaration[],
  clock: Clock,
  random: Random,
): readonly ServiceDeclaration[] {
  const later = (handler: Handler): Handler => {
    return async (message, ctx) => {
      await new Promise<void>((done) => clock.after(random.next() * waitMsMax, done));
      return await handler(message, ctx);
    };
  };
  const shuffled = (one: Subscription): Subscription =>
    one.handler === undefined ? one : { ...one, handler: later(one.handler) };
  return services.map((service) => ({
    ...service,
    consumers: service.consumers.map((one) => ({ ...one, subscriptions: one.subscriptions.map(shuffled) })),
    commands: service.commands.map(shuffled),
  }));
}
