import { Alone } from "../consumer/alone.js";
import { Lanes } from "../consumer/lanes.js";
import { Claims } from "../embedded/claims.js";
import { LaneTables } from "../embedded/lane-tables.js";
import { Leases } from "../embedded/leases.js";
import { LogAppender } from "../embedded/log-appender.js";
import { PositionTables } from "../embedded/position-tables.js";
import { StreamTables } from "../embedded/streams.js";
import type { Clock } from "../runtime/clock.js";
import type { PositionState } from "../store/position-state.js";
import type { LaneHead } from "../store/store.js";
import type { Claim, Outcome, Position } from "../store/unit.js";
import { type Undo, watchConnections } from "./faults-connections.js";

// Guards of the product, turned off one by one, to see that somebody would notice. Nothing of the product knows of this
// file: it replaces methods of the product's classes, in the process that imports it. No door exports it, and the
// published package does not hold it.

/** Puts a method in the place of another. */
function replace<Of extends object, Name extends keyof Of>(
  of: Of,
  name: Name,
  make: (before: Of[Name]) => Of[Name],
): Undo {
  const before = of[name];
  of[name] = make(before);
  return () => {
    of[name] = before;
  };
}

/** Another statement where the product prepares this one. */
function reworded(from: string, to: string): Undo {
  return watchConnections({ prepare: (sql, prepare) => prepare(sql === from ? to : sql) });
}

/** The owner does not look whether another one has come since. */
function fence(): Undo {
  return reworded(
    "UPDATE mr_engine SET commits = ? WHERE one = 1 AND epoch = ?",
    "UPDATE mr_engine SET commits = ? WHERE one = 1 AND ? > 0",
  );
}

/** Nobody looks whether a record's offset is among the finished ones. */
function claim(): Undo {
  return replace(Claims.prototype, "taken", (taken) => {
    return function (this: Claims, of: Claim, clock: Clock): Outcome | undefined {
      const refused = taken.call(this, of, clock);
      return of.type === "record" && refused?.type === "already" ? undefined : refused;
    };
  });
}

/** Nobody looks whether a lane's entry has been run since. */
function entry(): Undo {
  return replace(Claims.prototype, "taken", (taken) => {
    return function (this: Claims, of: Claim, clock: Clock): Outcome | undefined {
      const refused = taken.call(this, of, clock);
      return of.type === "lane-entry" && refused?.type === "already" ? undefined : refused;
    };
  });
}

/** An event that runs alone after crashes is not written down before its handler begins: a death is nobody's. */
function attempt(): Undo {
  return replace(Alone.prototype, "announce", () => (_, go) => go());
}

/** What is sent again after a lost answer is taken for new. */
function resent(): Undo {
  return replace(LogAppender.prototype, "holds", () => () => false);
}

/** Consumers take followers of a parked head at once. */
export function freeLanes(): Undo {
  return replace(Lanes.prototype, "setHead", (setHead) => {
    return function (this: Lanes, of: Parameters<Lanes["setHead"]>[0], head: LaneHead | undefined): void {
      const waitMs = head?.state === "parked" ? head.due - Date.now() : 0;
      if (waitMs <= 0) {
        setHead.call(this, of, head);
        return;
      }
      setHead.call(this, of, undefined);
      const due = (): void => {
        if (of.running === undefined) setHead.call(this, of, head);
        else setTimeout(due, 5).unref();
      };
      setTimeout(due, waitMs).unref();
    };
  });
}

/** Followers do not wait behind the parked head of their lane. */
function lane(): Undo {
  const store = replace(LaneTables.prototype, "isHeld", () => () => false);
  const consumer = freeLanes();
  return () => {
    store();
    consumer();
  };
}

/** A group's statements are stored one by one, instead of all or none. */
function atomic(): Undo {
  return watchConnections({
    exec(sql, exec) {
      if (sql !== "BEGIN IMMEDIATE" && sql !== "COMMIT") exec(sql);
      // A flush for each would only take time: what is killed here is a process, not a machine.
      else if (sql === "BEGIN IMMEDIATE") exec("PRAGMA synchronous = OFF");
    },
  });
}

/** A claim is good under whatever lease it was made. */
function lease(): Undo {
  const { leased } = PositionTables.prototype;
  const states = new WeakMap<PositionTables, Map<number, PositionState>>();
  const undoLease = replace(PositionTables.prototype, "lease", (before) => {
    return function (this: PositionTables, positions: readonly Position[]): void {
      const patched = PositionTables.prototype.leased;
      PositionTables.prototype.leased = leased;
      before.call(this, positions);
      const byId = states.get(this) ?? new Map<number, PositionState>();
      for (const position of positions) byId.set(position.id, leased.call(this, position) as PositionState);
      states.set(this, byId);
      PositionTables.prototype.leased = patched;
    };
  });
  const undoLeased = replace(PositionTables.prototype, "leased", () => {
    return function (this: PositionTables, position: Position): PositionState | undefined {
      return states.get(this)?.get(position.id) ?? leased.call(this, position);
    };
  });
  return () => {
    undoLeased();
    undoLease();
  };
}

/** Whoever decides on a stream is taken at its word. */
function stream(): Undo {
  return replace(StreamTables.prototype, "stale", () => () => false);
}

const faults = { fence, claim, entry, attempt, resent, lane, atomic, lease, stream } satisfies Record<
  string,
  () => Undo
>;

/** A guard that can be turned off. */
export type FaultName = keyof typeof faults;

/** All guards that can be turned off. */
export const faultNames = Object.keys(faults) as readonly FaultName[];

/** Turns a guard off in this thread. */
export function plant(name: FaultName): Undo {
  return faults[name]();
}

/** Leases of another length, so that a stopped process loses its own soon. No shorter than two signs of life are apart. */
export function leasesOf(ms: number): Undo {
  return replace(Leases.prototype, "heard", (heard) => {
    return function (this: Leases, member: string, aliveMs = ms): boolean {
      return heard.call(this, member, aliveMs);
    };
  });
}
