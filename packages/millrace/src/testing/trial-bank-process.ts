// A program that the tests of saga/crash kill: `node trial-bank-process.js PLACE FROM TO`. It asks for the transfers FROM to TO;
// each line on stdout is a promise that its number is on disk. It ends when each of them has ended.
import { createApp } from "../app/create.js";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { say } from "../runtime/say.js";
import { bank, transferOf, transferring, transfers, unlucky } from "./trial-bank.js";
import { engineAt, placeOf } from "./trial-place.js";

const [place, from = "1", to = "0"] = process.argv.slice(2);
const inFlight = 32;
const lookMs = 20;

const saga = transferring();
const app = createApp({ services: bank(unlucky, saga), engine: engineAt(placeOf(place)), logger: silentLogger }, []);
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
for (let n = Number(from); n <= Number(to); ) {
  const { status } = (await app.saga(saga).get(transferOf(n).transferId)) ?? {};
  if (status === "completed" || status === "aborted") n += 1;
  else await new Promise<void>((resolve) => void systemClock.after(lookMs, resolve));
}
await app.stop();
