import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { names } from "../shop.js";
import { replayByMany } from "./cluster.js";
import { makeSample } from "./sample.js";

/** A PostgreSQL that the run has started; see tools/services. */
async function server(): Promise<string | undefined> {
  const keeper = process.env.MILLRACE_TEST_SERVICES;
  const response = await fetch(`${keeper}/postgres`, { method: "POST" });
  const answer = (await response.json()) as { readonly address?: string; readonly unavailable?: string };
  if (answer.address === undefined && process.env.CI === "true") throw new Error(answer.unavailable);
  return answer.address;
}

const address = await server();
const name = `shop_${process.pid}_${Math.floor(performance.now())}`;
const database = Object.assign(new URL(address ?? "postgres://none/none"), { pathname: `/${name}` }).href;

async function statement(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  await client.query(text);
  await client.end();
}

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-cluster-"));
  if (address !== undefined) await statement(`CREATE DATABASE ${name}`);
});
afterAll(async () => {
  await rm(dir, { recursive: true });
  if (address !== undefined) await statement(`DROP DATABASE ${name} WITH (FORCE)`);
});

if (address === undefined) console.info("skipped: no PostgreSQL");
describe.skipIf(address === undefined)("the shop as several processes on PostgreSQL", () => {
  // Eight processes, twice each, on Kafka and PostgreSQL: `npm run shop:cluster -- FILE --times 2`.
  it("gives the golden answers: each service in two of four processes, started by `millrace start --service`", async () => {
    const { csv, answers } = makeSample(60);
    const file = join(dir, "sample.csv");
    await writeFile(file, csv);
    const half = names.length / 2;
    const halves = [names.slice(0, half), names.slice(half)];
    const env = { MILLRACE_STORE: database, MILLRACE_DIR: join(dir, "data") };
    const processes = [...halves, ...halves];
    expect(await replayByMany({ file, env, processes, terminal: { write: () => undefined } })).toEqual(answers);
  }, 300_000);
});
