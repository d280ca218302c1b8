import { changesBetween, plain } from "../aggregate/changes.js";
import { frozen } from "../aggregate/fold.js";
import type { PartDeclaration } from "../consumer/part.js";
import type { ViewRows } from "../consumer/view.js";
import type { EventName, Message } from "../contract/contract.js";
import { describeError, isFailure } from "../failure/failure.js";
import { difference, shown } from "./difference.js";
import { receivedMessage, storedMessage } from "./given-message.js";

/** The rows that events come to. */
export interface GivenProjection<Row> {
  /** By key. */
  readonly rows: Readonly<Record<string, Row>>;
  /**
   * Checks all of them. There is nothing to await.
   *
   * @throws {Error} that shows the difference, for any test runner.
   */
  then(expected: Readonly<Record<string, Row>>): void;
}

type Rows = Readonly<Record<string, unknown>>;

/** A projection on its own: its rows are made as the runtime makes them. */
export class ProjectionScene implements GivenProjection<unknown> {
  readonly rows: Rows;
  readonly #title: string;

  constructor({ title, consumers }: PartDeclaration, events: readonly Message<EventName, unknown>[]) {
    this.#title = title;
    const [consumer] = consumers;
    const made = consumer?.view?.rows;
    if (consumer === undefined || made === undefined)
      throw new Error(`${title} keeps its rows in tables of its own, which need a database; test it with harness(app)`);
    const heard = new Set(consumer.subscriptions.map(({ contract }) => contract.type));
    const rows = new Map<string, unknown>();
    for (const [number, event] of events.entries()) {
      if (!heard.has(event.type))
        throw new Error(`${title} does not fold ${event.type}; it folds ${[...heard].join(", ")}`);
      this.#fold(rows, made, { event, number });
    }
    this.rows = Object.fromEntries([...rows].sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  #fold(
    rows: Map<string, unknown>,
    made: ViewRows,
    { event, number }: { readonly event: Message<string, unknown>; readonly number: number },
  ): void {
    const received = receivedMessage(storedMessage(event), { number });
    for (const id of made.ids(received)) {
      const before = rows.get(id);
      const next = () => {
        try {
          return plain(made.next(before, received));
        } catch (error) {
          if (isFailure(error)) throw error;
          const message = `${this.#title}: the fold of ${event.type} into ${id} threw ${describeError(error).message}`;
          throw new Error(message, { cause: error });
        }
      };
      const row = next();
      const again = next();
      if (changesBetween(row, again).length > 0)
        throw new Error(
          `${this.#title}: the fold of ${event.type} into ${id} is not pure: made again, the row is\n${difference(row, again)}`,
        );
      if (row === undefined) rows.delete(id);
      else rows.set(id, frozen(row));
    }
  }

  // biome-ignore lint/suspicious/noThenProperty: it is how these tests read; whoever awaits it is told.
  then(expected: Rows): void {
    if (typeof expected === "function")
      throw new Error(".then({…}) takes the expected rows; there is nothing to await");
    const lines: string[] = [];
    let alike = true;
    for (const key of [...new Set([...Object.keys(expected), ...Object.keys(this.rows)])].sort()) {
      const [one, other] = [rowOf(expected, key), rowOf(this.rows, key)];
      if (changesBetween(one, other).length === 0) {
        lines.push(`    ${key} ${shown(one)}`);
        continue;
      }
      alike = false;
      if (one !== undefined) lines.push(`  - ${key} ${shown(one)}`);
      if (other !== undefined) lines.push(`  + ${key} ${shown(other)}`);
      if (one !== undefined && other !== undefined) lines.push(difference(one, other));
    }
    if (!alike) throw new Error(`${this.#title}: other rows (- expected, + folded)\n${lines.join("\n")}`);
  }
}

function rowOf(rows: Rows, key: string): unknown {
  return Object.hasOwn(rows, key) ? rows[key] : undefined;
}
