import type { Trial } from "./trial.js";
import type { Choose } from "./trial-ways.js";
import type { VirtualClock } from "./virtual-clock.js";

interface Waiting {
  readonly step: string;
  readonly go: () => void;
}

/** The steps of what runs side by side: each waits until it is its turn. */
export class Steps {
  /** All that were taken, in their order. */
  readonly taken: string[] = [];
  #waiting: Waiting[] = [];

  /** Resolves when it is this step's turn. */
  async reach(step: string): Promise<void> {
    await new Promise<void>((go) => this.#waiting.push({ step, go }));
  }

  get waiting(): readonly string[] {
    return this.#waiting.map(({ step }) => step);
  }

  /** Lets these go on, at once, in this order. */
  take(...places: readonly number[]): void {
    const going = places.map((place) => this.#waiting[place] as Waiting);
    this.#waiting = this.#waiting.filter((one) => !going.includes(one));
    for (const { step, go } of going) {
      this.taken.push(step);
      go();
    }
  }
}

/** What is played. */
export interface Play {
  readonly apps: readonly Trial[];
  readonly clock: VirtualClock;
  readonly steps: Steps;
  /** What may happen at any moment between two steps, once. */
  readonly acts?: Readonly<Record<string, () => unknown>>;
  /** A step that ends so may also be taken together with another one that does: their commits are one group then. */
  readonly together?: string;
}

/** Gives all that wait their turns, in the order that `choose` says, until nothing is left to do. */
export async function play({ apps, clock, steps, acts = {}, together }: Play, choose: Choose): Promise<void> {
  const open = new Map(Object.entries(acts));
  for (;;) {
    await quiet(clock);
    const turns: (() => unknown)[] = steps.waiting.map((_, place) => () => steps.take(place));
    for (const [name, act] of open)
      turns.push(() => {
        open.delete(name);
        steps.taken.push(name);
        return act();
      });
    for (const pair of pairs(steps.waiting, together)) turns.push(() => steps.take(...pair));
    if (turns.length > 0) await turns[choose(turns.length)]?.();
    else if (await rested(apps, clock)) {
      if (steps.waiting.length === 0) return;
    } else await clock.advance(100);
  }
}

/** All that can be done without time has been done. */
async function quiet(clock: VirtualClock): Promise<void> {
  await clock.advance(0);
  await clock.advance(0);
}

async function rested(apps: readonly Trial[], clock: VirtualClock): Promise<boolean> {
  let done = false;
  const settled = Promise.all(apps.map(({ app }) => app.settled())).then(() => {
    done = true;
  });
  await Promise.race([settled, quiet(clock)]);
  await quiet(clock);
  return done;
}

function pairs(waiting: readonly string[], ending: string | undefined): readonly (readonly [number, number])[] {
  if (ending === undefined) return [];
  const places = waiting.flatMap((step, place) => (step.endsWith(ending) ? [place] : []));
  return places.flatMap((one) => places.filter((other) => other !== one).map((other) => [one, other] as const));
}
