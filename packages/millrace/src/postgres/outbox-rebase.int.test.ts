import { afterAll, describe, expect, it } from "vitest";
import type { Logger } from "../runtime/logger.js";
import { type TrialOutbox, trialOutbox } from "../testing/trial-outbox.js";
import type { PostgresOutbox } from "./outbox.js";

const trial = await trialOutbox();
afterAll(() => trial?.close());

const { pool, place, insert, outbox: outboxOf } = trial ?? ({} as TrialOutbox);
const limit = { recordsMax: 1_000, bytesMax: 4 * 1024 * 1024 };

if (trial === undefined) console.info("skipped: no PostgreSQL");
describe.skipIf(trial === undefined)("an outbox from a backup", () => {
  const lines: string[] = [];
  const logger = { warn: (_: object, text: string) => void lines.push(text) } as unknown as Logger;
  const { schema } = place ?? { schema: "" };
  const record = (id: string) => ({
    ...{ topic: "orders", partition: 0, id, source: "shop", type: "order.placed", version: 1, key: "k", time: 7 },
    ...{ correlationId: undefined, causationId: undefined, hops: 0, headers: undefined, named: false, offset: -1 },
    data: "{}",
  });
  const drain = async (outbox: PostgresOutbox, lease: { shard: string; epoch: number }, pages = 100) => {
    const sent: string[] = [];
    for (let page = await outbox.next(lease, limit); page.records.length > 0 && pages > 0; pages -= 1) {
      sent.push(...page.records.map(({ id }) => id));
      await outbox.sent(lease, page);
      page = await outbox.next(lease, limit);
    }
    return sent;
  };

  /** As if all that was written until now came from a cluster whose transactions had other numbers. */
  async function restored(shift: number): Promise<void> {
    const [{ previous, current }] = (await pool.query(`SELECT previous::text, current::text FROM ${schema}.mr_relay`))
      .rows;
    const moved = (snapshot: string | null) => snapshot?.replace(/\d+/g, (xid) => String(Number(xid) + shift)) ?? null;
    await pool.query(`UPDATE ${schema}.mr_outbox SET xid = ((xid::text::bigint + $1)::text)::xid8`, [shift]);
    await pool.query(`UPDATE ${schema}.mr_relay SET cluster = 'another', previous = $1, current = $2`, [
      moved(previous),
      moved(current),
    ]);
  }

  it.each([1_000_000, -300])(
    "sends what may not have been sent, and nothing else, transactions being %d ahead",
    async (shift) => {
      await pool.query(`TRUNCATE ${schema}.mr_outbox`);
      await pool.query(`UPDATE ${schema}.mr_relay SET owner = ''`);
      await pool.query("DO $$ BEGIN FOR n IN 1..400 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$");
      lines.length = 0;
      const before = outboxOf("before", { leaseMs: 50 });
      const lease = (await before.leases()).held.find(({ shard }) => shard === "shop") as never;
      await insert(pool, [record("sent-1"), record("sent-2")]);
      expect(await drain(before, lease)).toEqual(["sent-1", "sent-2"]);
      await insert(pool, [record("half-1"), record("half-2"), record("half-3")]);
      await before.sent(lease, await before.next(lease, { ...limit, recordsMax: 1 }));
      await insert(pool, [record("not-1"), record("not-2")]);
      await restored(shift);
      // Other processes commit before the first relay looks.
      await insert(pool, [record("new-1")]);
      const outbox = outboxOf("after", { logger });
      const leaseNow = async () => (await outbox.leases()).held.find(({ shard }) => shard === "shop");
      await expect.poll(leaseNow).toBeDefined();
      const now = (await leaseNow()) as never;
      const sent = await drain(outbox, now);
      await insert(pool, [record("new-2")]);
      sent.push(...(await drain(outbox, now)));
      expect(new Set(sent)).toEqual(new Set(["half-2", "half-3", "not-1", "not-2", "new-1", "new-2"]));
      expect(sent.filter((id) => !id.startsWith("half"))).toEqual(["not-1", "not-2", "new-1", "new-2"]);
      expect(lines).toEqual([expect.stringContaining("was restored, or is another than before")]);
    },
  );
});
