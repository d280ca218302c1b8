import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { createInterface } from "node:readline";
import { engineFromEnv, type MillraceApp } from "millrace";
import { finished } from "../analytics/report.js";
import { startOutside } from "../outside/outside.js";
import { names } from "../shop.js";
import { historicalShop } from "./history.js";
import { type ReplayOptions, replay } from "./run.js";

const millrace = resolve(dirname(createRequire(import.meta.url).resolve("millrace/package.json")), "bin/millrace.js");
/** The built program: a process runs it. */
const member = resolve(import.meta.dirname, "../../dist/replay/member.js");

/** How many processes run the shop, and on what. */
export interface ClusterOptions extends ReplayOptions {
  /** Which services each process runs; by default each service has one of its own. */
  readonly processes?: readonly (readonly string[])[];
  /** MILLRACE_STORE, MILLRACE_LOG, MILLRACE_DIR. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Replays invoices through a shop whose services run in processes of their own, by `millrace start --service NAME`. This process
 * publishes the invoices and reads the report; it handles nothing but the analytics of a shop that has no such process.
 */
export async function replayByMany(options: ClusterOptions): ReturnType<typeof replay> {
  const { processes = names.map((name) => [name]), env } = options;
  const outside = await startOutside();
  const all = { ...env, SHOP_PAYMENTS: outside.paymentsUrl, SHOP_MAIL: outside.mailUrl };
  const children: ChildProcess[] = [];
  const app = historicalShop({ engine: engineFromEnv(env), outside });
  try {
    await Promise.all(processes.map((services) => startMember(services, { env: all, children })));
    // It takes part as one more process of the service that imports the invoices: those are what it publishes.
    await app.start({ services: ["orders"] });
    return await replay(app, { ...options, rest: (sent) => allFinished(app, sent) });
  } finally {
    await app.stop();
    await Promise.all(children.map(end));
    await outside.stop();
  }
}

/** Resolves when it is ready. */
async function startMember(
  services: readonly string[],
  { env, children }: { readonly env: Readonly<Record<string, string>>; readonly children: ChildProcess[] },
): Promise<void> {
  const child = spawn(process.execPath, [millrace, "start", member, "--service", services.join(",")], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout as NonNullable<typeof child.stdout> }))
    if (line.startsWith("ready")) return;
  throw new Error(`the process of ${services.join()} ended before it was ready`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}

const lookMs = 200;
const stillMsMax = 60_000;

/** Until every invoice is finished, or none was for a minute. */
async function allFinished(app: MillraceApp, sent: number): Promise<void> {
  let [done, at] = [-1, performance.now()];
  while (done < sent && performance.now() - at < stillMsMax) {
    await new Promise((next) => setTimeout(next, lookMs));
    const now = await finished(app);
    if (now !== done) [done, at] = [now, performance.now()];
  }
}
