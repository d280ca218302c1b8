import { Failure } from "../failure/failure.js";
import type { LogRecord, NewRecord } from "../log/log.js";
import { answerTo } from "../log/reply-to.js";
import { amendedAs } from "./builds.js";
import type { Act, ActOutcome, Edit, EntriesOutcome } from "./operate.js";
import type { Amendment, EntryState, LaneEntry, NewEntry } from "./unit.js";

/** Why an entry cannot be edited, skipped or redriven: it is gone, or not dead. Undefined when it can. */
export function notDead(
  entry: number,
  found: { readonly consumer: string; readonly state: EntryState | string } | undefined,
): Failure | undefined {
  if (found === undefined)
    return new Failure(
      "NOT_FOUND",
      `no entry ${entry}: it has succeeded, was skipped, or never was; see millrace dead-letters ls`,
    );
  if (found.state === "dead") return undefined;
  return new Failure(
    "CONFLICT",
    `entry ${entry} of ${found.consumer} is ${found.state}, not dead: wait until it succeeds or dies`,
  );
}

/**
 * The event in its edited form. A second edit replaces the first: what it was made from is still the event in the log.
 *
 * @throws {Failure} RECORD_UNDECODABLE when the data is not JSON.
 */
export function edited({ record }: LaneEntry, { id, data, version }: Edit, before: boolean): LogRecord {
  const causationId = before ? record.causationId : record.id;
  return { ...record, id, version, causationId, data: parseData(data), bytes: undefined };
}

/** What whoever sent a command hears when it is skipped: it will never be done. Undefined when nobody waits for that. */
export function skippedAnswer({ record, consumer, redrives }: LaneEntry, act: Act): NewRecord | undefined {
  const detail = `${act.actor}: ${act.reason}`;
  const by = { service: consumer, generation: 1, now: act.at, redrives };
  return answerTo(record, { outcome: "skipped", detail }, by);
}

/** Whether an entry is the dead letter of one build of a view: its event may have been amended for another one meanwhile. */
export function mayBeAmended({ state, consumer }: NewEntry): boolean {
  return state === "dead" && amendedAs(consumer) !== consumer;
}

/** Whether an event ran as it was before an amendment: what became of it then does not count. */
export function ranBefore({ id }: Pick<Amendment, "id">, { record }: NewEntry): boolean {
  return id !== record.id;
}

/** Which of the same event's entries in other builds run again with a dead letter: those that wait behind others will anyway. */
export function isRedriven({ state }: Pick<LaneEntry, "state">): boolean {
  return state !== "following";
}

/** Gathers what an act on many dead letters did. */
export class EntriesDone {
  readonly #lanes = new Map<string, ActOutcome["lanes"][number]>();
  readonly #unchanged: number[] = [];
  #changed = 0;

  passOver(entry: number): void {
    this.#unchanged.push(entry);
  }

  /** One of them is done; `letters` are it and its siblings in other builds. */
  done(letters: readonly Pick<LaneEntry, "consumer" | "lane">[]): void {
    for (const { consumer, lane } of letters) this.#lanes.set(JSON.stringify([consumer, lane]), { consumer, lane });
    this.#changed += 1;
  }

  outcome(): EntriesOutcome {
    return { changed: this.#changed, lanes: [...this.#lanes.values()], unchanged: this.#unchanged };
  }
}

function parseData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Failure("RECORD_UNDECODABLE", "the edited data is not JSON; nothing was changed", { cause });
  }
}
