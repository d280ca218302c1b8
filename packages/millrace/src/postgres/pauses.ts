import { Failure } from "../failure/failure.js";
import type { Act, ActOutcome } from "../store/operate.js";
import { type Acting, acting, type OperateParts } from "./acting.js";
import type { ServicePlace } from "./install.js";

const unchanged: ActOutcome = { changed: 0, lanes: [] };

/** A consumer that is paused already keeps its first reason. */
export function pause(parts: OperateParts, consumer: string, act: Act): Promise<ActOutcome> {
  return acting(parts, async (on) => {
    const place = await knownPlace(on, consumer);
    const sql =
      "INSERT INTO $schema.mr_pauses(consumer, reason, actor, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    if ((await on.change(place, sql, consumer, act.reason, act.actor, act.at)) === 0) return unchanged;
    await on.audit("pause", `consumer ${consumer}`, act);
    return { changed: 1, lanes: [] };
  });
}

/** Lets a paused consumer go on. */
export function resume(parts: OperateParts, consumer: string, act: Act): Promise<ActOutcome> {
  return acting(parts, async (on) => {
    const place = await knownPlace(on, consumer);
    if ((await on.change(place, "DELETE FROM $schema.mr_pauses WHERE consumer = $1", consumer)) === 0) return unchanged;
    await on.audit("resume", `consumer ${consumer}`, act);
    return { changed: 1, lanes: [] };
  });
}

async function knownPlace(on: Acting, consumer: string): Promise<ServicePlace> {
  const place = await on.placeOf(consumer);
  if (place !== undefined) return place;
  throw new Failure("NOT_FOUND", `no consumer ${consumer} is registered; see millrace consumers ls`);
}
