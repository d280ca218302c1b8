import { createInterface } from "node:readline";
import { embedded } from "../embedded/embedded.js";
import { silentLogger } from "../runtime/logger.js";
import { say } from "../runtime/say.js";
import { service } from "../service/declare.js";
import { createApp } from "./create.js";
import { accountWith, open, payIn } from "./trial-accounts.js";

// A program for aggregates.test.ts: takes part in the folder's file, and pays into accounts as its standard input says,
// `ACCOUNT NUMBER` a line. What is committed is said, a line of JSON each.

const account = accountWith({ snapshotEvery: 10 });
const app = createApp(
  { services: [service("bank").owns(account)], engine: embedded(process.argv[2]), logger: silentLogger },
  [],
);
await app.start();
say(JSON.stringify({ started: process.pid }));

/** Asks until there is an answer: whoever was to tell it may have been killed. */
async function done(command: ReturnType<typeof open | typeof payIn>, id: string): Promise<string> {
  for (;;) {
    const { state } = await app.send(command, { id, waitFor: "handled", timeout: "1s" });
    if (state !== "accepted") return state;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [name = "", number = ""] = line.split(" ");
  if (number === "?") {
    const { state, version } = await app.aggregate(account).get(name);
    say(JSON.stringify({ name, version, state }));
    continue;
  }
  const command =
    number === "0"
      ? open({ account: name, owner: "ann" })
      : payIn({ account: name, pence: Number(number), note: number });
  void done(command, `${name}-${number}`).then((state) => say(JSON.stringify({ name, number: Number(number), state })));
}
await app.stop();
