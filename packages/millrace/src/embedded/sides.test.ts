import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { silentLogger } from "../runtime/logger.js";
import { seededRandom } from "../runtime/random.js";
import { newRecord } from "../testing/conformance/units.js";
import { endTrials, tempFolder } from "../testing/trial.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { Calls } from "./attached.js";
import { Core } from "./core.js";
import { prepareFile } from "./format.js";
import { attachedSide } from "./sides.js";
import { openDatabase } from "./sqlite.js";

afterEach(endTrials);

it("a process beside the owner knows where a topic ends before the bell: positions in the file may be there already", async () => {
  const file = join(tempFolder(), "millrace.db");
  const database = openDatabase(file);
  const context = { clock: virtualClock(), random: seededRandom(1), logger: silentLogger };
  const core = new Core({ file, database, reader: database, prepared: prepareFile(database, file, 0), context });
  const { log } = core.door("owner");
  await log.ensureTopic({ name: "conformance", partitions: 2, owner: "checking", key: "k", retentionMs: undefined });
  const reader = openDatabase(file, { readOnly: true });
  const side = attachedSide(reader, new Calls());
  expect(await side.log.ends("conformance")).toEqual([0, 0]);
  await log.append([newRecord("a")]);
  expect(await side.log.ends("conformance")).toEqual([1, 1]);
  reader.close();
  await core.close();
});
