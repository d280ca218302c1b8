import type { Session } from "./session.js";
import type { Texts } from "./texts.js";

/** How long a process may stay silent before others take its partitions. */
export const leaseMs = 15_000;
/** How often it says that its main loop still turns. */
export const aliveEveryMs = 3_000;
/** Those that have been silent for so long are forgotten: nobody waits for them any more. */
const forgetMs = 20 * leaseMs;

/** A process as the others see it. */
export interface Member {
  readonly member: string;
  readonly consumers: readonly string[];
  readonly alive: boolean;
}

/** What a sign of life is answered with. */
export interface Beat {
  /** It had been taken for dead, or was not known. */
  readonly back: boolean;
  /** The database's time, in ms. */
  readonly at: number;
}

/** A sign of life, and what the process takes part in. */
export async function beat(
  session: Session,
  texts: Texts,
  { member, consumers }: Pick<Member, "member" | "consumers">,
): Promise<Beat> {
  const row = await session.row(
    texts.of(
      "beat",
      `WITH before AS (SELECT heard FROM $shared.mr_members WHERE member = $1)
       INSERT INTO $shared.mr_members(member, consumers) VALUES ($1, $2)
       ON CONFLICT (member) DO UPDATE SET heard = clock_timestamp(), consumers = excluded.consumers
       RETURNING coalesce((SELECT heard > clock_timestamp() - $3 * interval '1 millisecond' FROM before), false),
         (extract(epoch FROM clock_timestamp()) * 1000)::bigint`,
    ),
    member,
    JSON.stringify(consumers),
    leaseMs,
  );
  const [known, at] = row as [boolean, number];
  return { back: !known, at };
}

/** All processes that were heard of lately, by the database's clock. */
export async function readMembers(session: Session, texts: Texts): Promise<readonly Member[]> {
  const rows = await session.rows(
    texts.of(
      "members",
      `SELECT member, consumers, heard > clock_timestamp() - $1 * interval '1 millisecond' FROM $shared.mr_members
       ORDER BY member`,
    ),
    leaseMs,
  );
  return rows.map(([member, consumers, alive]) => ({
    member: member as string,
    consumers: JSON.parse(consumers as string) as string[],
    alive: alive as boolean,
  }));
}

/** A process has ended in order. */
export async function leave(session: Session, texts: Texts, member: string): Promise<void> {
  await session.rows(texts.of("leave", "DELETE FROM $shared.mr_members WHERE member = $1"), member);
}

/** Forgets processes that have not been heard of for long. */
export async function forgetSilent(session: Session, texts: Texts): Promise<void> {
  await session.rows(
    texts.of(
      "forgetSilent",
      "DELETE FROM $shared.mr_members WHERE heard < clock_timestamp() - $1 * interval '1 millisecond'",
    ),
    forgetMs,
  );
}
