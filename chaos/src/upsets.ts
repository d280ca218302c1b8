import { setTimeout as pause } from "node:timers/promises";
import type { Machine } from "tools/services";
import type { Chance } from "./chance.js";
import type { ReplyProxy } from "./reply-proxy.js";

/** Something that happens to servers, and is over when it resolves. */
interface Upset {
  readonly name: string;
  happen(chance: Chance): Promise<void>;
}

/** So long something is left alone after it happened: else there is no work to be hit. */
const calmMs = 6_000;
const downMs = { from: 0, to: 1_500 };
/** Longer than the store lets a transaction wait for its process. */
const pausedMs = { from: 500, to: 8_000 };

function machineUpsets(machine: Machine): readonly Upset[] {
  const restart = (how: "kill" | "stop") => async (chance: Chance) => {
    await machine[how]();
    await pause(chance.whole(downMs.from, downMs.to));
    await machine.start();
  };
  return [
    { name: `${machine.name} killed`, happen: restart("kill") },
    { name: `${machine.name} restarted`, happen: restart("stop") },
    {
      name: `${machine.name} paused`,
      async happen(chance) {
        await machine.pause();
        await pause(chance.whole(pausedMs.from, pausedMs.to));
        await machine.resume();
      },
    },
  ];
}

/** One after the other, in an order that chance decides, until everything has happened; then all again. */
export class Upsets {
  readonly counts: Record<string, number> = {};
  readonly #upsets: readonly Upset[];
  #left: Upset[] = [];
  #under: Promise<void> | undefined;
  #next = performance.now() + calmMs;

  constructor(machines: readonly Machine[], proxy: ReplyProxy) {
    const sever = async () => proxy.sever();
    this.#upsets = [...machines.flatMap(machineUpsets), { name: "connections cut", happen: sever }];
  }

  /** Undefined when it is too early. */
  another(chance: Chance): Promise<void> | undefined {
    if (this.#under !== undefined || performance.now() < this.#next) return undefined;
    if (this.#left.length === 0) this.#left = shuffled(this.#upsets, chance);
    const upset = this.#left.pop() as Upset;
    this.counts[upset.name] = (this.counts[upset.name] ?? 0) + 1;
    this.#under = upset.happen(chance).finally(() => {
      this.#under = undefined;
      this.#next = performance.now() + calmMs;
    });
    return this.#under;
  }

  /** What happens is over, and nothing more does. */
  async end(): Promise<void> {
    this.#next = Number.POSITIVE_INFINITY;
    await this.#under;
    this.#next = Number.POSITIVE_INFINITY;
  }
}

function shuffled<T>(all: readonly T[], chance: Chance): T[] {
  const order = all.map((one) => ({ one, at: chance.next() }));
  return order.sort((a, b) => a.at - b.at).map(({ one }) => one);
}
