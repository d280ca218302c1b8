import { setTimeout as pause } from "node:timers/promises";
import { type Child, openChild } from "./child.js";
import type { SharingQuestion } from "./sharing-process.js";

/** Processes that share one file. */
export class Sharing {
  readonly #children: readonly Child[];
  #published = 0;

  private constructor(children: readonly Child[]) {
    this.#children = children;
  }

  /** Starts them on a folder, and waits until they share the partitions fairly. */
  static async start(dir: string, options: { readonly processes: number; readonly waitMs: number }): Promise<Sharing> {
    const children: Child[] = [];
    for (let n = 0; n < options.processes; n += 1)
      children.push(await openChild("./sharing-process.js", { args: [dir, String(options.waitMs)] }));
    const sharing = new Sharing(children);
    for (let fair = false; !fair; ) {
      const before = await sharing.handled();
      await sharing.handle(200);
      const now = await sharing.handled();
      fair = now.every((count, index) => count - (before[index] ?? 0) > 100 / options.processes);
    }
    return sharing;
  }

  /** Publishes so many in the first process; resolves when all are handled, wherever. */
  async handle(total: number): Promise<void> {
    await this.#ask(0, { type: "publish", first: this.#published, total });
    this.#published += total;
    for (;;) {
      const counts = await this.handled();
      if (counts.reduce((sum, count) => sum + count, 0) >= this.#published) return;
      await pause(5);
    }
  }

  /** What each has handled so far. */
  async handled(): Promise<readonly number[]> {
    return await Promise.all(
      this.#children.map((_, index) => this.#ask(index, { type: "handled" }) as Promise<number>),
    );
  }

  /** When the handlers of the orders began in one of the processes, by the machine's monotonic clock (ms). */
  async seen(index: number): Promise<ReadonlyMap<string, number>> {
    return new Map((await this.#ask(index, { type: "seen" })) as readonly (readonly [string, number])[]);
  }

  async close(): Promise<void> {
    for (const child of this.#children) await child.close();
  }

  async #ask(index: number, question: SharingQuestion): Promise<unknown> {
    return await this.#children[index]?.ask(question);
  }
}
