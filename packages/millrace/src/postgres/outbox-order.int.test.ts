import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { trialDatabase } from "../testing/trial-database.js";
import type { OrderProof } from "../testing/trial-order.js";

const database = await trialDatabase();
afterAll(() => database?.drop());
const program = fileURLToPath(new URL("../../dist/testing/trial-order-process.js", import.meta.url));

if (database === undefined) console.info("skipped: no PostgreSQL");
describe.skipIf(database === undefined)("the order of the outbox", () => {
  // The full size, a million events, is `npm run bench -- outbox`.
  it("is kept, and nothing lost, where naive relays lose and invert: 24 writers, and a relay that is killed", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      program,
      database?.url as string,
      ...["8000", "24", "3", "500"],
    ]);
    const proof = JSON.parse(stdout) as OrderProof;
    expect(proof.committed).toBeGreaterThanOrEqual(8_000);
    expect(proof.relays).toBeGreaterThan(3);
    expect(proof.relay).toMatchObject({ lost: 0, inversions: 0 });
    expect(proof.naive["by id"]?.lost).toBeGreaterThan(0);
    expect(proof.naive["by time"]?.lost).toBeGreaterThan(0);
    expect(proof.naive["by transaction and id"]?.inversions).toBeGreaterThan(0);
  }, 120_000);
});
