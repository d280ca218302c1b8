import type { ClaimedEvent, Unit } from "../../store/unit.js";
import { inboxDay, makesInboxDay } from "../inbox.js";
import { dayOf } from "../names.js";
import { type DailyTable, inboxDays, makeDay, outboxDays } from "../partitions.js";
import type { Place } from "../places.js";
import type { Group } from "./group.js";
import type { CommitParts } from "./transaction.js";

/** The days whose partitions are known to be there. */
const made = new WeakMap<Place, Set<string>>();

/**
 * What a group needs that is not part of its commit: the partitions of its days, and what this process is to know of topics
 * and types. Nothing is waited for, but when something is new.
 */
export async function prepareGroup(parts: CommitParts, { place, units }: Group): Promise<void> {
  const { topics, types, places, clock } = parts;
  let publishes = false;
  for (const unit of units) {
    const { records, documents, timers, cancels } = unit.effects;
    if (records !== undefined)
      for (const { topic } of records) {
        publishes = true;
        if (topics.get(topic) === undefined) await topics.find(topic);
      }
    if (documents !== undefined)
      for (const { service, type } of documents) {
        if (types.get(service, type) === undefined) await types.refresh(service);
        if (places.ready(service) === undefined) await places.of(service);
      }
    for (const { service } of [...(timers ?? []), ...(cancels ?? [])])
      if (places.ready(service) === undefined) await places.of(service);
    for (const event of eventsOf(unit)) {
      if (makesInboxDay(event)) await ensureDay(parts, { place, daily: inboxDays, day: inboxDay(event) });
    }
  }
  if (publishes) await ensureDay(parts, { place, daily: outboxDays, day: dayOf(clock.now()) });
}

interface Day {
  readonly place: Place;
  readonly daily: DailyTable;
  readonly day: number;
}

async function ensureDay({ pool }: CommitParts, { place, daily, day }: Day): Promise<void> {
  const key = `${daily.table}/${day}`;
  const known = made.get(place) ?? new Set();
  if (known.has(key)) return;
  await makeDay(pool, place.schema, daily, day);
  made.set(place, known.add(key));
}

/** Forgets which partitions there are: retention may have dropped some. */
export function forgetDays(place: Place): void {
  made.delete(place);
}

function eventsOf({ claim }: Unit): readonly ClaimedEvent[] {
  if (claim.type === "record") return claim.events ?? [];
  if (claim.type === "records") return claim.parts.flatMap(({ events }) => events ?? []);
  return [];
}
