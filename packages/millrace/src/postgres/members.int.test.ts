import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Change } from "../engine/engine.js";
import { systemClock } from "../runtime/clock.js";
import type { OperationResult, Position } from "../store/unit.js";
import {
  acquire,
  checkedConsumer,
  committed,
  newEntry,
  newRecord,
  outcomes,
  recordClaim,
  unitOf,
} from "../testing/conformance/units.js";
import { trialDatabase } from "../testing/trial-database.js";
import { freshSchema, openCore, trialPool } from "../testing/trial-store.js";
import type { Core } from "./core.js";

const database = await trialDatabase();
const pools: pg.Pool[] = [];
let [left, right]: Core[] = [];
let shared: string;

if (database === undefined) console.info("skipped: processes in PostgreSQL, there is none");
describe.skipIf(database === undefined)("processes that share a database", () => {
  beforeAll(async () => {
    shared = freshSchema();
    for (let n = 0; n < 2; n += 1) pools.push(trialPool(database?.url ?? ""));
    left = await openCore(pools[0] as pg.Pool, shared, systemClock);
    right = await openCore(pools[1] as pg.Pool, shared, systemClock);
  });
  afterAll(async () => {
    await left?.close();
    await right?.close();
    for (const pool of pools) await pool.end();
    await database?.drop();
  });

  it("take what one has that is not heard of any more, count that, and refuse what it still sends", async () => {
    const [one, other] = [left as Core, right as Core];
    const [position] = (await acquire(one.store)) as [Position, Position];
    await acquire(other.store);
    const changes: Change[] = [];
    one.changed.add((change) => changes.push(change));
    const silent = () =>
      pools[0]?.query(
        `UPDATE ${shared}.mr_members SET heard = clock_timestamp() - interval '1 minute' WHERE consumers LIKE $1
         AND member = (SELECT owner FROM ${shared}_checking.mr_positions WHERE position = $2)`,
        [`%${checkedConsumer}%`, position.id],
      );
    // It says that it lives every few seconds: in between, it is taken for dead.
    const taken = await vi.waitFor(
      async () => {
        await silent();
        const { held } = await other.store.leases(checkedConsumer);
        expect(held).toHaveLength(2);
        return held.find(({ id }) => id === position.id) as Position;
      },
      { timeout: 10_000, interval: 50 },
    );
    expect([taken.crashes, taken.epoch]).toEqual([1, position.epoch + 1]);
    expect(await outcomes(one.store, unitOf(recordClaim(position, 0), {}))).toEqual(["fenced"]);
    expect(await outcomes(other.store, unitOf(recordClaim(taken, 0), {}))).toEqual(["committed"]);
    // Its next sign of life tells it to look what it still has.
    await vi.waitFor(() => expect(changes.some(({ leases }) => leases === true)).toBe(true), { timeout: 10_000 });
    await other.store.recovered([taken]);
    expect((await other.store.readPosition(taken.id))?.crashes).toBe(0);
  });

  it("hear of each other's lanes, timers, results and events, and not of their own", async () => {
    const [one, other] = [left as Core, right as Core];
    const heard: Change[] = [];
    const own: Change[] = [];
    const results: OperationResult[] = [];
    const shards: string[] = [];
    one.changed.add((change) => own.push(change));
    other.changed.add((change) => heard.push(change));
    other.handled.add((of) => results.push(...of));
    other.committed.add((of) => shards.push(...of));
    await acquire(one.store);
    await other.store.release((await other.store.leases(checkedConsumer)).held);
    const [position] = (await one.store.leases(checkedConsumer)).held as [Position];
    own.length = 0;
    const operation = { id: "op", command: "c", key: "k", correlationId: "op", fingerprint: undefined };
    await committed(one.store, unitOf({ type: "operation", operation: { ...operation, idempotency: undefined } }, {}));
    const result = { operation: "op", state: "committed" } as const;
    const effects = { entry: newEntry(40), result, records: [newRecord("told")] };
    await committed(one.store, unitOf(recordClaim(position, 40), effects, { lane: "k" }));
    await vi.waitFor(
      () => {
        expect(heard.flatMap(({ lanes }) => (lanes === "all" ? [] : (lanes ?? [])))).toContainEqual({
          consumer: checkedConsumer,
          lane: "k",
        });
        expect(results).toContainEqual(result);
        expect(shards).toContain("checking");
      },
      { timeout: 10_000 },
    );
    expect(own.filter(({ lanes }) => lanes !== undefined && lanes.length > 0)).toEqual([]);
  });

  it("hear of everything anew when the connection that they listen on was cut", async () => {
    const heard: Change[] = [];
    (right as Core).changed.add((change) => heard.push(change));
    await pools[0]?.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    await vi.waitFor(() => expect(heard.some(({ lanes }) => lanes === "all")).toBe(true), { timeout: 15_000 });
    await vi.waitFor(async () => expect(await (right as Core).store.readOperation("op")).toBeDefined(), {
      timeout: 5_000,
    });
  });
});
