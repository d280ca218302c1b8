import { amendedAs } from "../store/builds.js";
import { EntriesDone, edited, isRedriven, notDead, skippedAnswer } from "../store/dead-letter.js";
import type { Act, ActOutcome, Edit, EntriesOutcome } from "../store/operate.js";
import { encodeRecord } from "../store/rows.js";
import { type Acting, acting, type OperateParts } from "./acting.js";
import type { ServicePlace } from "./install.js";
import { leaveRecords } from "./left-records.js";
import { freeHeads, type Letter, leaveJobs, lockLetters, redriveLetters } from "./letters.js";

/** Stores an edit as the dead letter's amendment; it stays dead until redriven. */
export function edit(parts: OperateParts, asked: Edit, act: Act): Promise<ActOutcome> {
  return acting(parts, async (on) => {
    const { entry, id, data, version } = asked;
    const [[place] = []] = on.byService([entry]);
    const letters = place === undefined ? undefined : await lockLetters(on, place, [entry]);
    const letter = letters?.found.get(entry);
    const refused = notDead(entry, letter);
    if (refused !== undefined || place === undefined || letters === undefined || letter === undefined) throw refused;
    if (letter.record.id === id) return { changed: 0, lanes: [] };
    const record = edited(letter, asked, await isAmended(on, place, letter));
    await amend(on, place, { letters: [letter], act: "replace", id, data, version }, act);
    const entries = [letter, ...letters.siblingsOf(letter)].map((one) => one.entry);
    const sql = "UPDATE $schema.mr_lane_entries SET record = $2 WHERE entry = ANY($1::bigint[])";
    await on.change(place, sql, entries, encodeRecord(record));
    await on.audit("edit", `dead letter ${entry} of ${letter.consumer}`, act);
    return { changed: 1, lanes: [] };
  });
}

/** Amends the events of dead letters away for their consumers and lets their followers go on. Whoever sent a command hears of it. */
export async function skip(parts: OperateParts, entries: readonly number[], act: Act): Promise<EntriesOutcome> {
  const told = new Set<string>();
  const outcome = await each(parts, entries, async (on, { place, chosen, letters }) => {
    const gone = [...new Map(letters.map((letter) => [letter.entry, letter])).values()];
    await amend(on, place, { letters: chosen, act: "skip" }, act);
    const numbers = gone.map(({ entry }) => entry);
    await on.change(place, "DELETE FROM $schema.mr_lane_entries WHERE entry = ANY($1::bigint[])", numbers);
    await freeHeads(on, place, { lanes: gone, at: act.at });
    const answers = chosen.map((letter) => skippedAnswer(letter, act)).filter((answer) => answer !== undefined);
    if (answers.length > 0) {
      await leaveRecords(on.session, { place, now: parts.now() }, answers);
      told.add(place.service);
    }
    await leaveJobs(on, numbers, `skipped by ${act.actor}`);
    await on.audit("skip", chosen.map(targetOf), act);
  });
  if (told.size > 0) parts.left([...told]);
  return outcome;
}

/** Gives dead letters another run; followers run after them, in order. */
export function redrive(parts: OperateParts, entries: readonly number[], act: Act): Promise<EntriesOutcome> {
  return each(parts, entries, async (on, { place, chosen, letters }) => {
    const again = letters.filter(isRedriven).map(({ entry }) => entry);
    await redriveLetters(on, place, { entries: again, at: act.at });
    await on.audit("redrive", chosen.map(targetOf), act);
  });
}

const targetOf = ({ entry, consumer }: Letter) => `dead letter ${entry} of ${consumer}`;

/** Dead letters of one service, and with them those of the same events in other builds. */
interface Chosen {
  readonly place: ServicePlace;
  readonly chosen: readonly Letter[];
  readonly letters: readonly Letter[];
}

/** Entries that are gone or run already are passed over, so that a repeated act on many finishes the first one's work. */
function each(
  parts: OperateParts,
  entries: readonly number[],
  act: (on: Acting, chosen: Chosen) => Promise<void>,
): Promise<EntriesOutcome> {
  const wanted = [...new Set(entries)];
  return acting(parts, async (on) => {
    const done = new EntriesDone();
    const known = new Set<number>();
    for (const [place, numbers] of on.byService(wanted)) {
      const found = await lockLetters(on, place, numbers);
      const taken = new Set<number>();
      const chosen: Letter[] = [];
      const letters: Letter[] = [];
      for (const number of numbers) {
        known.add(number);
        const letter = found.found.get(number);
        // The same event for another build was in this very act: it went with that one.
        if (letter === undefined || notDead(number, letter) !== undefined || taken.has(number)) {
          done.passOver(number);
          continue;
        }
        const together = [letter, ...found.siblingsOf(letter)];
        for (const one of together) taken.add(one.entry);
        chosen.push(letter);
        letters.push(...together);
        done.done(together);
      }
      if (chosen.length > 0) await act(on, { place, chosen, letters });
    }
    for (const number of wanted) if (!known.has(number)) done.passOver(number);
    return done.outcome();
  });
}

async function isAmended(on: Acting, place: ServicePlace, { consumer, record }: Letter): Promise<boolean> {
  const found = await on.session.rows(
    `SELECT 1 FROM ${place.schema}.mr_amendments WHERE consumer = $1 AND topic = $2 AND partition = $3 AND "offset" = $4`,
    amendedAs(consumer),
    record.topic,
    record.partition,
    record.offset,
  );
  return found.length > 0;
}

type Amending = { readonly letters: readonly Letter[] } & (
  | { readonly act: "skip"; readonly id?: never; readonly data?: never; readonly version?: never }
  | ({ readonly act: "replace" } & Omit<Edit, "entry">)
);

async function amend(on: Acting, place: ServicePlace, amending: Amending, act: Act): Promise<void> {
  const unique = [...new Map(amending.letters.map((letter) => [keyOf(letter), letter])).values()];
  await on.change(
    place,
    `INSERT INTO $schema.mr_amendments(consumer, topic, partition, "offset", source, event, act, id, data, version, reason, actor, at)
     SELECT *, $7::text, $8::text, $9::text, $10::int, $11::text, $12::text, $13::bigint
     FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::text[], $6::text[])
     ON CONFLICT (consumer, topic, partition, "offset") DO UPDATE SET act = excluded.act, id = excluded.id, data = excluded.data,
       version = excluded.version, reason = excluded.reason, actor = excluded.actor, at = excluded.at`,
    unique.map(({ consumer }) => amendedAs(consumer)),
    unique.map(({ record }) => record.topic),
    unique.map(({ record }) => record.partition),
    unique.map(({ record }) => record.offset),
    unique.map(({ event }) => event.source),
    unique.map(({ event }) => event.id),
    ...[amending.act, amending.id ?? null, amending.data ?? null, amending.version ?? null],
    ...[act.reason, act.actor, act.at],
  );
}

const keyOf = ({ consumer, record: { topic, partition, offset } }: Letter) =>
  JSON.stringify([amendedAs(consumer), topic, partition, offset]);
