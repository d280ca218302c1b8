import { AsyncLocalStorage } from "node:async_hooks";
import { GroupCommit } from "../postgres/commit/group-commit.js";
import type { PgResult } from "../postgres/pool.js";
import type { Claim, Position } from "../store/unit.js";
import { freeLanes } from "./faults.js";
import type { Undo } from "./faults-connections.js";
import { watchQueries } from "./faults-queries.js";

// Guards of the store in PostgreSQL and of the relay, turned off one by one; see faults.ts.

function positionsOf(claim: Claim): readonly Position[] {
  if (claim.type === "record" || claim.type === "lane-entry") return [claim.position];
  return claim.type === "records" ? claim.parts.map(({ position }) => position) : [];
}

/** A claim is good under whatever lease it was made: rows of positions say the epoch that they are asked for. */
function epoch(): Undo {
  const claimed = new AsyncLocalStorage<ReadonlyMap<number, number>>();
  const { commit } = GroupCommit.prototype;
  GroupCommit.prototype.commit = function (this: GroupCommit, group) {
    const positions = [
      ...group.units.flatMap(({ claim }) => positionsOf(claim)),
      ...group.progress.map((one) => one.position),
    ];
    return claimed.run(new Map(positions.map(({ id, epoch }) => [id, epoch])), () => commit.call(this, group));
  };
  const undo = watchQueries(async (query, send) => {
    const result = await send(query);
    const epochs = claimed.getStore();
    if (epochs === undefined || !query.text.includes("FOR UPDATE OF p) AS f")) return result;
    for (const row of result.rows as unknown[][])
      if (epochs.has(row[0] as number)) row[1] = epochs.get(row[0] as number);
    return result;
  });
  return () => {
    undo();
    GroupCommit.prototype.commit = commit;
  };
}

/** The inbox takes everything for new: as many rows were added as there were to add. */
function inbox(): Undo {
  return watchQueries(async (query, send) => {
    const result = await send(query);
    if (!query.text.includes("SELECT count(*) FROM handled")) return result;
    const days = String(query.values?.[4]);
    return { ...result, rows: [[days === "{}" ? 0 : days.split(",").length]] };
  });
}

/** Nobody looks whether a lane has entries that hold it. */
function lane(): Undo {
  const undo = watchQueries(async (query, send) => {
    const result = await send(query);
    if (!query.text.includes("AND e.lane = w.lane AND e.holds) AS e WHERE e.n > 0")) return result;
    // Documents have versions, lanes a number below zero.
    return { ...result, rows: (result.rows as unknown[][]).filter(([, , number]) => (number as number) >= 0) };
  });
  const free = freeLanes();
  return () => {
    undo();
    free();
  };
}

/** A group's statements are stored one by one, instead of all or none. */
function atomic(): Undo {
  const within = new WeakSet<object>();
  const said = (command: string): PgResult => ({ command, rows: [], rowCount: null });
  return watchQueries(async (query, send, client) => {
    if (query.text.startsWith("BEGIN ISOLATION LEVEL")) {
      within.add(client);
      const settings = query.text.slice(query.text.indexOf(";") + 1).replaceAll("SET LOCAL", "SET");
      return send({ text: settings });
    }
    if (!within.has(client) || !/^(COMMIT|ROLLBACK)$/.test(query.text)) return send(query);
    within.delete(client);
    return said(query.text);
  });
}

/** The relay goes by numbers, which are handed out before commits: what commits behind younger events is never sent. */
function relay(): Undo {
  return watchQueries((query, send) => {
    const schema = /FROM (\S+)\.mr_outbox WHERE xid >= /.exec(query.text)?.[1];
    if (schema === undefined) return send(query);
    const behind = `seq > (SELECT high FROM ${schema}.mr_relay) AND pg_visible_in_snapshot(xid, `;
    return send({ ...query, text: query.text.replaceAll("pg_visible_in_snapshot(xid, ", behind) });
  });
}

const faults = { epoch, inbox, lane, atomic, relay } satisfies Record<string, () => Undo>;

/** A guard of the servers' engine that can be turned off. */
export type ServerFaultName = keyof typeof faults;

/** Turns a guard off in this thread. */
export function plantServer(name: ServerFaultName): Undo {
  return faults[name]();
}
