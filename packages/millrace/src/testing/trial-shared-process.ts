// A program that takes part in what servers hold: `node trial-shared-process.js PLACE`. Does what its standard input says, a
// line of JSON each, and answers in lines of JSON; see trial-shared.ts.
import { createInterface } from "node:readline";
import type { Running } from "../app/app.js";
import { createApp } from "../app/create.js";
import { silentLogger } from "../runtime/logger.js";
import { say } from "../runtime/say.js";
import { engineAt, placeOf } from "./trial-place.js";
import { counts, loggedIn, sharedWork, steps } from "./trial-shared-work.js";

/** What such a program may be asked; each with a number, which its answer has too. */
export interface SharedAsk {
  readonly ask: number;
  readonly publish?: { readonly key: string; readonly n: number };
  readonly counted?: readonly string[];
  readonly logged?: string;
}

let running: Running | undefined;
const look = {
  name: "look",
  start: async (_: unknown, seen: Running) => {
    running = seen;
  },
  stop: async () => {},
};
const app = createApp({ services: sharedWork(), engine: engineAt(placeOf(process.argv[2])), logger: silentLogger }, [
  look,
]);

async function answer({ publish, counted, logged }: SharedAsk): Promise<object> {
  const seen = running as Running;
  if (publish !== undefined) return await app.publish(steps.taken(publish), { id: `step-${publish.n}` });
  if (counted !== undefined) {
    const found = await Promise.all(counted.map((id) => app.documents(counts).get(id)));
    return { counted: found.map((one) => one?.numbers ?? []) };
  }
  if (logged !== undefined) return { logged: await loggedIn(seen, logged) };
  const { partitions = 0, failure } = seen.consumers().find(({ consumer }) => consumer === "counting") ?? {};
  return { partitions, failure: failure?.code };
}

await app.start();
say(JSON.stringify({ ask: 0, pid: process.pid }));
for await (const line of createInterface({ input: process.stdin })) {
  const ask = JSON.parse(line) as SharedAsk;
  void answer(ask).then(
    (said) => say(JSON.stringify({ ...said, ask: ask.ask })),
    (error: unknown) => say(JSON.stringify({ ask: ask.ask, failed: String(error) })),
  );
}
