// A program that saga/crash.test.ts kills: `node trial-bank-process.js FOLDER FROM TO`. It asks for the transfers FROM to TO;
// each line on stdout is a promise that its number is on disk. It ends when every transfer of the file has ended.
import { setImmediate as turn } from "node:timers/promises";
import { createApp } from "../app/create.js";
import { embedded } from "../embedded/embedded.js";
import { silentLogger } from "../runtime/logger.js";
import { say } from "../runtime/say.js";
import { bank, transferOf, transferring, transfers, unlucky } from "./trial-bank.js";

const [folder = ".", from = "1", to = "0"] = process.argv.slice(2);
const inFlight = 32;

const saga = transferring();
const app = createApp({ services: bank(unlucky, saga), engine: embedded(folder), logger: silentLogger }, []);
await app.start();
let next = Number(from);
await Promise.all(
  Array.from({ length: inFlight }, async () => {
    while (next <= Number(to)) {
      const n = next;
      next += 1;
      await app.publish(transfers.asked(transferOf(n)), { id: `transfer-${n}` });
      say(n);
    }
  }),
);
for (let open = 1; open > 0; ) {
  await app.settled();
  await turn();
  const found = await Promise.all(
    (["running", "compensating"] as const).map((status) => app.saga(saga).find({ status }, { limit: 1 })),
  );
  open = found.flat().length;
}
await app.stop();
