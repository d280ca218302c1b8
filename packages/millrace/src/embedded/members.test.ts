import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { silentLogger } from "../runtime/logger.js";
import { seededRandom } from "../runtime/random.js";
import { checkedConsumer, checkedService, checkedTopic, newRecord } from "../testing/conformance/units.js";
import { endTrials, otherProgram, tempFolder } from "../testing/trial.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { Core } from "./core.js";
import { prepareFile } from "./format.js";
import { Members, type OwnerWire } from "./members.js";
import { formatVersion } from "./schema.js";
import { openDatabase } from "./sqlite.js";
import { type FromOwner, type ToOwner, wireVersion } from "./wire.js";

afterEach(endTrials);

/** The owner's end of a connection, and the hands of whoever is at the other end. */
class Connection implements OwnerWire {
  readonly answers: FromOwner[] = [];
  closed = false;
  say: (message: ToOwner) => void = () => {};
  end: () => void = () => {};

  send(message: FromOwner): void {
    this.answers.push(message);
  }
  listen(heard: (message: ToOwner) => void, ended: () => void): void {
    this.say = heard;
    this.end = ended;
  }
  close(): void {
    this.closed = true;
  }
}

const topics = [{ topic: checkedTopic, incarnation: "one", types: ["thing.done"], start: [0, 0] }];

async function opened() {
  const dir = tempFolder();
  const file = join(dir, "millrace.db");
  const database = openDatabase(file);
  const context = { clock: virtualClock(), random: seededRandom(1), logger: silentLogger };
  const core = new Core({ file, database, reader: database, prepared: prepareFile(database, file, 0), context });
  const { log } = core.door("owner");
  await log.ensureTopic({ name: checkedTopic, partitions: 2, owner: checkedService, key: "k", retentionMs: undefined });
  const members = new Members(core, context.clock);
  const connect = (member: string): Connection => {
    const connection = new Connection();
    members.admit(connection);
    connection.say({ type: "hello", wire: wireVersion, format: formatVersion, member, pid: 1 });
    return connection;
  };
  const close = async () => {
    members.close();
    await core.close();
  };
  return { dir, core, members, connect, close };
}

it("a member that comes again keeps its leases when its old connection is seen to end, and is heard over the new one alone", async () => {
  const { core, members, connect, close } = await opened();
  const old = connect("1/member");
  const acquire = { consumer: checkedConsumer, service: checkedService, topics };
  old.say({ type: "call", call: 1, name: "acquire", args: [acquire] });
  const again = connect("1/member");
  expect([members.size, old.closed]).toEqual([1, true]);
  // What was still on its way over the old one has been sent again over the new one.
  old.say({ type: "call", call: 2, name: "append", args: [[newRecord("late")]] });
  old.end();
  expect(core.topics.get(checkedTopic).end).toBe(0);
  expect([members.size, core.leases.alive("1/member")]).toEqual([1, true]);
  expect(core.door("2/other").writes.acquire(acquire)).toEqual([]);
  again.end();
  expect([members.size, core.leases.alive("1/member")]).toEqual([0, false]);
  await close();
});

it("an owner that another one has fenced lets its members go, so that they ask the next one, and refuses them nothing", async () => {
  const { dir, connect, close } = await opened();
  const [one, two] = [connect("1/one"), connect("2/two")];
  otherProgram(dir, (database) => database.exec("UPDATE mr_engine SET epoch = epoch + 1"));
  const unit = { claim: { type: "publish" }, reads: [], effects: { records: [newRecord("one")] }, lane: undefined };
  one.say({ type: "call", call: 1, name: "commit", args: [[unit], []] });
  await new Promise((turn) => setImmediate(turn));
  expect([one.closed, two.closed]).toEqual([true, true]);
  expect(one.answers.filter(({ type }) => type === "failure" || type === "answer")).toEqual([]);
  await close();
});
