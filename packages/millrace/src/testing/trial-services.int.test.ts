import { connect } from "node:net";
import pg from "pg";
import { afterAll, describe, expect, it, vi } from "vitest";
import { trialDatabase } from "./trial-database.js";
import { trialServers } from "./trial-services.js";

const database = await trialDatabase();
const own = await trialServers("postgres", "own");
const kafka = await trialServers("kafka/1");
afterAll(async () => {
  await database?.drop();
  await own?.close();
});

async function answers(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query("SELECT current_setting('fsync') AS fsync")).rows[0];
  } finally {
    await client.end();
  }
}

async function listens(address: string): Promise<boolean> {
  const [host, port] = address.split(":") as [string, string];
  const socket = connect({ host, port: Number(port) });
  try {
    return await new Promise<boolean>((said) => {
      socket.once("connect", () => said(true));
      socket.once("error", () => said(false));
    });
  } finally {
    socket.destroy();
  }
}

if (database === undefined) console.info("skipped: no PostgreSQL");
describe.skipIf(database === undefined)("a PostgreSQL for tests", () => {
  it("answers in a database of the file's own, and flushes what it commits", async () => {
    expect(await answers(database?.url as string)).toEqual({ fsync: "on" });
  });

  it("comes back after kill -9, a pause and a stop, when it is the file's own", async (context) => {
    const { address, machines, disturb } = own as NonNullable<typeof own>;
    const [machine] = machines;
    if (machine === undefined) return context.skip("skipped: a server that others have started is not killed");
    for (const act of ["kill", "stop"] as const) {
      await disturb(machine, act);
      await expect(answers(address)).rejects.toThrow("ECONNREFUSED");
      await disturb(machine, "start");
      expect(await answers(address)).toEqual({ fsync: "on" });
    }
    await disturb(machine, "pause");
    const waiting = answers(address);
    await disturb(machine, "resume");
    expect(await waiting).toEqual({ fsync: "on" });
  });
});

if (kafka === undefined) console.info("skipped: no Kafka");
describe.skipIf(kafka === undefined)("a Kafka for tests", () => {
  it("has a broker that listens", async () => {
    await vi.waitFor(async () => expect(await listens(kafka?.address as string)).toBe(true), 15_000);
  });
});
