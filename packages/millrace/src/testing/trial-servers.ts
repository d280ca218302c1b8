import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, it, vi } from "vitest";
import type { Engine } from "../engine/engine.js";
import { flowingClock } from "./flowing-clock.js";
import { standOn } from "./trial.js";
import { dropPlaces, engineAt, type TrialGround, trialGrounds } from "./trial-place.js";

let loading = false;

/**
 * The tests of these files once more, on each kind of servers that there is: their trials have their engines there, and time passes
 * by itself. What they give to {@link onlyHere} is left out.
 */
export async function onServers(...files: readonly URL[]): Promise<void> {
  // Tables and topics are made for each test, on machines that may be busy.
  vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });
  const grounds = await trialGrounds();
  if (grounds.length === 0) console.info("skipped: no PostgreSQL");
  for (const ground of grounds)
    describe(`on ${ground.name}`, async () => {
      standing(ground);
      // With a query it is a module of its own: its tests are collected where it is imported.
      loading = true;
      for (const { pathname } of files) await import(`${pathname}?on=${ground.name}`);
      loading = false;
      afterAll(dropPlaces);
    });
}

/** Whether a test file is loaded for servers: asked while it is loaded, outside of its tests and suites. */
export const isOnServers = (): boolean => loading;

/** `it` for tests that would show nothing on servers that they do not show without; asked for as {@link isOnServers}. */
export function onlyHere(): typeof it {
  if (!loading) return it;
  console.info("skipped on servers: tests that would show nothing more there");
  return it.skip as typeof it;
}

function standing({ fresh }: TrialGround): void {
  const engines = new Map<string, Engine>();
  const engine = async (dir = randomBytes(8).toString("hex")) => {
    const found = engines.get(dir) ?? engineAt(await fresh());
    engines.set(dir, found);
    return found;
  };
  beforeAll(() => standOn({ engine, clock: flowingClock }));
  afterAll(() => standOn());
}
