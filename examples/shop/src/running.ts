import { engineFromEnv, type MillraceApp } from "millrace";
import { type Outside, startOutside } from "./outside/outside.js";
import { shop } from "./shop.js";
import { claimDir, type Style } from "./style.js";

/** The shop as one sees it in real life: outside systems take their time, fail now and then, and refuse large sums. */
export async function shopToTry(options: {
  readonly dir: string;
  readonly port: number;
  readonly style: Style;
}): Promise<{
  readonly app: MillraceApp;
  readonly outside: Outside;
}> {
  const { dir, port, style } = options;
  await claimDir(dir, style);
  const behaviour = { latencyMs: 40, failing: 0.03, losingAnswers: 0.01 };
  const outside = await startOutside({ behaviour, limitPence: 150_000 });
  const app = shop({ engine: engineFromEnv({ ...process.env, MILLRACE_DIR: dir }), outside, port, style });
  // The outside systems are on when the app starts and off when it has stopped, however that was asked for.
  app.closed.then(outside.stop, outside.stop);
  return { app, outside };
}
