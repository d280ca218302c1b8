import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { embedded, type MillraceApp } from "millrace";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Outside, startOutside } from "../outside/outside.js";
import { styles } from "../rehearsal.js";
import { without } from "../shop.js";
import { historicalShop } from "./history.js";
import { replay } from "./run.js";
import { makeSample } from "./sample.js";

const quiet = { write: () => undefined };

let dir: string;
let outside: Outside;
let app: MillraceApp;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-replay-"));
});
afterAll(() => rm(dir, { recursive: true }));

async function write(name: string, content: string | Uint8Array): Promise<string> {
  const file = join(dir, name);
  await writeFile(file, content);
  return file;
}

describe.each(styles)("$fulfilment, orders as $orders", (style) => {
  beforeEach(async () => {
    outside = await startOutside();
    app = historicalShop({ engine: embedded(":memory:"), outside, style });
    await app.start();
  });
  afterEach(async () => {
    await app.stop();
    await outside.stop();
  });

  it("answers a made-up export with what was worked out beside it, and every order goes the whole way", async () => {
    const { csv, answers } = makeSample(300);
    expect(await replay(app, { file: await write("sample.csv", csv), terminal: quiet })).toEqual(answers);

    const [stages] = await app.query`SELECT
    (SELECT orders FROM analytics_stages WHERE stage = 'placed') AS placed,
    (SELECT orders FROM analytics_stages WHERE stage = 'shipped') AS shipped,
    (SELECT count(*) FROM analytics_stages) AS stages`;
    expect(stages).toMatchObject({ placed: expect.any(Number), shipped: stages?.placed, stages: 2 });
    const { takenPence, returnedPence } = outside.provider.state();
    expect(takenPence).toBe(answers.penceOfOrders);
    expect(returnedPence).toBe(-answers.penceOfCancellations);
  });

  it("reads gzip by its content, whatever the file's name", async () => {
    const { csv, answers } = makeSample(40);
    expect(await replay(app, { file: await write("packed", gzipSync(csv)), terminal: quiet })).toEqual(answers);
  });

  it("counts nothing twice when a file is replayed twice", async () => {
    const { csv, answers } = makeSample(40);
    const file = await write("twice.csv", csv);
    await replay(app, { file, terminal: quiet });
    expect(await replay(app, { file, terminal: quiet })).toEqual(answers);
  });

  it("refuses an invoice whose number comes back with other lines", async () => {
    const { csv } = makeSample(10);
    await replay(app, { file: await write("first.csv", csv), terminal: quiet });
    const [header, , ...rest] = csv.split("\n");
    const file = await write("changed.csv", [header, ...rest].join("\n"));
    await expect(replay(app, { file, terminal: quiet })).rejects.toMatchObject({ code: "EVENT_ID_REUSED" });
  });

  it("prints no figures when invoices are stuck", async () => {
    await app.stop();
    // Nobody packs: the orders never get through.
    app = historicalShop({ engine: embedded(":memory:"), outside, style });
    await app.start(without("warehouse"));
    const file = await write("stuck.csv", makeSample(10).csv);
    await expect(replay(app, { file, terminal: quiet })).rejects.toThrow(/of 10 invoices did not get through/);
  });
});
