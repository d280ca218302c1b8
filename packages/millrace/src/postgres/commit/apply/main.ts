import { encodeRanges } from "../../../store/rows.js";
import type { DocumentWrite } from "../../../store/unit.js";
import { plainArray, textArray } from "../../arrays.js";
import { outboxColumns, outboxText } from "../../outbox-rows.js";
import type { Applying } from "./applying.js";
import { upsertColumns, upsertText } from "./documents.js";
import { CopiesFound, inboxColumns, inboxText, knownBefore } from "./inbox.js";

/**
 * What nearly every group writes, in one statement: documents, events handled, events published, positions. Every lock is held
 * by now, so that the numbers of published events rise as the commits of a key do.
 */
const mainText = `WITH documents AS (${upsertText({ first: 1, version: "$21::bigint" })}),
  handled AS (${inboxText(5)} RETURNING 1),
  published AS (${outboxText({ first: 10, committed: "$22" })}),
  moved AS (UPDATE $schema.mr_positions AS p SET frontier = w.frontier, finished = w.finished, handled = w.handled
    FROM unnest($17::bigint[], $18::bigint[], $19::text[], $20::bigint[]) AS w(position, frontier, finished, handled)
    WHERE p.position = w.position)
  SELECT count(*) FROM handled`;

/** @throws {CopiesFound} when some of the group's events were handled before. */
export async function applyMain(applying: Applying): Promise<void> {
  const { session, place, facts, staged, now } = applying;
  const { inbox, records, positions } = staged;
  const documents = (staged.documents.get(place.service) ?? []).filter(isStored);
  if (documents.length + inbox.size + records.length + positions.size === 0) return;
  const moved = [...positions.values()];
  const row = await session.row(
    place.texts.of("main", mainText),
    ...upsertColumns(documents),
    ...inboxColumns([...inbox.values()]),
    ...outboxColumns(records),
    plainArray(positions.keys()),
    plainArray(moved.map(({ state }) => state.frontier)),
    textArray(moved.map(({ state }) => encodeRanges(state.ranges))),
    plainArray(moved.map(({ handled }) => handled)),
    facts.xid,
    now,
  );
  if (row?.[0] !== inbox.size) throw new CopiesFound(await knownBefore(applying));
}

function isStored({ text }: DocumentWrite): boolean {
  return text !== undefined;
}
