import type { Change } from "../engine/engine.js";
import type { OperationResult } from "../store/unit.js";
import type { Bell } from "./core.js";

/** Those who want to hear of one kind of thing. */
class Listeners<Heard> {
  readonly #listeners = new Set<(heard: Heard) => void>();

  /** Returns what takes the listener away again. */
  add(listener: (heard: Heard) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(heard: Heard): void {
    for (const listener of this.#listeners) listener(heard);
  }
}

/** Those in this process who hear of commits, wherever they were made. */
export class Ears {
  readonly appended = new Listeners<readonly string[]>();
  readonly handled = new Listeners<readonly OperationResult[]>();
  readonly changed = new Listeners<Change>();

  hear({ topics, results, change }: Bell, byOthers: boolean): void {
    if (topics !== undefined) this.appended.tell(topics);
    if (results !== undefined) this.handled.tell(results);
    if (change !== undefined && byOthers) this.changed.tell(change);
  }
}
