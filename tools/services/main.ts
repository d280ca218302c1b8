import { spawn } from "node:child_process";
import { existsSync, openSync, readFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openKeeper } from "./keeper.js";
import { cacheFolder } from "./place.js";

/** What a keeper that was started by hand has written down. */
interface Started {
  readonly pid: number;
  readonly variables: Readonly<Record<string, string>>;
}

const usage = `npm run services -- start [--brokers 3]   starts PostgreSQL and Kafka on loopback, and says how to reach them
npm run services -- env                   prints that again, for: eval "$(npm run --silent services -- env)"
npm run services -- stop                  stops them, and removes what they have stored`;

const state = join(await cacheFolder(), "started.json");
const log = join(await cacheFolder(), "started.log");

async function start(brokers: number): Promise<void> {
  if (running() !== undefined) return env();
  await rm(state, { force: true });
  const output = openSync(log, "w", 0o600);
  const script = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, [script, "keep", "--brokers", String(brokers)], {
    detached: true,
    stdio: ["ignore", output, output],
  });
  let ended = false;
  child.once("exit", () => {
    ended = true;
  });
  while (!existsSync(state)) {
    if (ended) throw new Error(readFileSync(log, "utf8").trim());
    await pause(50);
  }
  child.unref();
  env();
}

/** The process behind `start`: it lives until it is told to end, and its servers with it. */
async function keep(brokers: number): Promise<void> {
  const keeper = await openKeeper();
  const end = async () => {
    await rm(state, { force: true });
    await keeper.close();
  };
  process.once("SIGTERM", () => void end());
  try {
    const [postgres, kafka] = await Promise.all([keeper.services.postgres(), keeper.services.kafka(brokers)]);
    const variables = {
      MILLRACE_TEST_POSTGRES: postgres.address,
      MILLRACE_TEST_KAFKA: kafka.address,
      MILLRACE_TEST_SERVICES: keeper.address,
    };
    await writeFile(`${state}.new`, JSON.stringify({ pid: process.pid, variables } satisfies Started), { mode: 0o600 });
    await rename(`${state}.new`, state);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
    await end();
  }
}

function running(): Started | undefined {
  if (!existsSync(state)) return undefined;
  const started = JSON.parse(readFileSync(state, "utf8")) as Started;
  try {
    process.kill(started.pid, 0);
    return started;
  } catch {
    return undefined;
  }
}

function env(): void {
  const started = running();
  if (started === undefined) throw new Error("nothing was started: npm run services -- start");
  for (const [name, value] of Object.entries(started.variables)) console.info(`export ${name}='${value}'`);
}

async function stop(): Promise<void> {
  const started = running();
  if (started === undefined) return console.info("nothing was started");
  process.kill(started.pid, "SIGTERM");
  while (running() !== undefined || isAlive(started.pid)) await pause(50);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { brokers: { type: "string", default: "1" } },
  });
  const brokers = Number(values.brokers);
  if (brokers !== 1 && brokers !== 3) throw new Error(`--brokers is 1 or 3, not ${values.brokers}`);
  const commands: Readonly<Record<string, () => Promise<void> | void>> = {
    start: () => start(brokers),
    keep: () => keep(brokers),
    env,
    stop,
  };
  const command = commands[positionals[0] ?? ""];
  if (command === undefined || positionals.length !== 1) throw new Error(usage);
  await command();
}

try {
  await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
