// The proof of order: many writers, a relay that is killed again and again, and naive relays beside it on the same outbox.
import { type ChildProcess, fork } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { installService, installShared } from "../postgres/install.js";
import { dayOf } from "../postgres/names.js";
import { makeDay, outboxDays } from "../postgres/partitions.js";
import { follow, naive } from "./trial-naive.js";
import { OrderJudge, type OrderProof, type TrialPage } from "./trial-order.js";
import { committedByKey, makeKeys, write, writeStaged } from "./trial-writers.js";

const [url, ...sizes] = process.argv.slice(2) as [string, ...string[]];
const [events, writers, kills, killMs] = sizes.map(Number) as [number, number, number, number];
/** What has not come by then is lost. */
const settleMsMax = 10_000;
const program = fileURLToPath(new URL("./trial-relay-process.js", import.meta.url));
const pool = new pg.Pool({ connectionString: url, max: writers + 6 });

await installShared(pool, "millrace");
const { schema } = await installService(pool, "millrace", { service: "shop", now: Date.now() });
const today = dayOf(Date.now());
for (const day of [today, today + 1]) await makeDay(pool, schema, outboxDays, day);
const table = `${schema}.mr_outbox`;
await pool.query(`CREATE INDEX ON ${table}(xid, seq); CREATE INDEX ON ${table}(committed, seq)`);
await makeKeys(pool);

const judge = new OrderJudge();
let relays = 0;
let ended = false;

/** A relay that acknowledges are sent to; some pages are acknowledged only after it was killed. */
function startRelay(): ChildProcess {
  relays += 1;
  const child = fork(program, [url, `relay-${relays}`], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  // What was killed cannot be answered.
  child.on("error", () => {});
  child.on("message", ({ page, events: sent }: TrialPage) => {
    for (const [key, n] of sent) judge.heard(key, n);
    if (child.connected) child.send(page);
  });
  return child;
}

async function killAgainAndAgain(): Promise<ChildProcess> {
  let child = startRelay();
  while (!ended) {
    await pause(killMs * (0.5 + Math.random()));
    // It has the outbox, and is in the middle of something.
    const before = judge.arrived;
    while (!ended && judge.arrived === before) await pause(1);
    if (ended) return child;
    child.kill("SIGKILL");
    child = startRelay();
  }
  return child;
}

const started = performance.now();
const killing = killAgainAndAgain();
const judges = Object.entries(naive).map(([name, way]) => ({ name, way, judge: new OrderJudge() }));
const following = judges.map((one) => follow(pool, { table, ...one, ended: () => ended }));
const written = await write({ pool, table, writers, enough: (count) => count >= events && relays > kills });
const losing = judges.filter(({ name }) => name === "by id" || name === "by time");
const staged = await writeStaged({ pool, table }, async (key, n) => {
  while (!losing.every((one) => one.judge.has(key, n))) await pause(1);
});
const committed = written + staged;
const writtenMs = performance.now() - started;
ended = true;
const last = await killing;
const giveUp = performance.now() + settleMsMax;
while (judge.arrived < committed && performance.now() < giveUp) await pause(20);
const ms = performance.now() - started;
last.kill();
await Promise.all(following);
const byKey = await committedByKey(pool);
const verdicts = Object.fromEntries(judges.map((one) => [one.name, one.judge.verdict(byKey)]));
console.log(
  JSON.stringify({
    committed,
    writtenMs,
    ms,
    relays,
    relay: judge.verdict(byKey),
    naive: verdicts,
  } satisfies OrderProof),
);
await pool.end();
