import type { Change } from "../engine/engine.js";
import type { Act } from "../store/operate.js";
import { isLockConflict, ownFailure } from "./errors.js";
import { readPlaces, type ServicePlace } from "./install.js";
import { serviceNumber } from "./names.js";
import { transact } from "./session.js";
import { type InspectParts, Sight } from "./sight.js";

/** What operators' acts work with. */
export interface OperateParts extends InspectParts {
  /** Tells other processes what an act has changed, once it is committed. */
  readonly ring: (change: Change) => void;
  /** An act has left events to be sent in the outboxes of these services. */
  readonly left: (services: readonly string[]) => void;
}

/** A lane of a consumer. */
export interface LaneName {
  readonly consumer: string;
  readonly lane: string;
}

const attemptsMax = 5;

/** One act under way: a transaction over the schemas of all services. */
export class Acting extends Sight {
  /** The services that rows of these numbers belong to, each with its own, in the order of the services' numbers. */
  byService(rows: readonly number[]): readonly (readonly [ServicePlace, readonly number[]])[] {
    const numbers = new Map<number, number[]>();
    for (const row of rows) {
      const own = numbers.get(serviceNumber(row));
      if (own === undefined) numbers.set(serviceNumber(row), [row]);
      else own.push(row);
    }
    return this.places.flatMap((place) => {
      const own = numbers.get(place.number);
      return own === undefined ? [] : [[place, own] as const];
    });
  }

  /** The service that has registered a consumer. */
  async placeOf(consumer: string): Promise<ServicePlace | undefined> {
    const [row] = await this.all<{ service: string }>(
      "SELECT $service AS service FROM $schema.mr_consumers WHERE consumer = $1",
      {},
      consumer,
    );
    return this.places.find(({ service }) => service === row?.service);
  }

  service(name: string): ServicePlace | undefined {
    return this.places.find(({ service }) => service === name);
  }

  /** How many rows a statement changed. In its text `$schema` is that of the place, `$shared` the shared one. */
  change(place: ServicePlace, text: string, ...values: unknown[]): Promise<number> {
    return this.session.changes(text.replaceAll("$schema", place.schema).replaceAll("$shared", this.shared), ...values);
  }

  /** As {@link change}, for the tables that all services share. */
  changeShared(text: string, ...values: unknown[]): Promise<number> {
    return this.session.changes(text.replaceAll("$shared", this.shared), ...values);
  }

  /** Keeps an operator's act, in the transaction that does it. */
  async audit(verb: string, targets: string | readonly string[], { at, actor, reason }: Act): Promise<void> {
    await this.changeShared(
      `INSERT INTO $shared.mr_audit(at, actor, act, target, reason)
       SELECT $1, $2, $3, target, $4 FROM unnest($5::text[]) WITH ORDINALITY AS t(target, n) ORDER BY n`,
      at,
      actor,
      verb,
      reason,
      typeof targets === "string" ? [targets] : targets,
    );
  }

  /** Whether this very act was done before: it is sent again when its answer was lost. */
  async wasDone(verb: string, beginning: string, { at, actor, reason }: Act): Promise<boolean> {
    const found = await this.rows(
      `SELECT 1 FROM $shared.mr_audit
       WHERE at = $1 AND actor = $2 AND act = $3 AND reason = $4 AND starts_with(target, $5) LIMIT 1`,
      at,
      actor,
      verb,
      reason,
      beginning,
    );
    return found.length > 0;
  }
}

/** Does an act in one transaction. Where others' locks stood in the way so that one had to give in, it is done again. */
export async function acting<T>({ pool, shared }: OperateParts, act: (acting: Acting) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transact(pool, async (session) =>
        act(new Acting(session, shared, await readPlaces(session, shared))),
      );
    } catch (error) {
      if (attempt >= attemptsMax || !isLockConflict(error)) throw ownFailure(error);
    }
  }
}
