import type { Harness, Harnessed } from "./harness.js";
import { RunningHarness, servicesOf } from "./running-harness.js";

/** What a verification does to the app. */
export interface VerifyOptions {
  /** Runs each handler twice (default true). */
  readonly duplicateEverything?: boolean;
  /** In how many orders of chance the keys are handled (default 3). */
  readonly reorderAcrossKeys?: number;
  /** At how many of its commits the process dies, spread evenly over all of them (default 10). */
  readonly crashes?: number;
  /** Fields of documents and events that may differ: what handlers make from the time, for instance. */
  readonly ignore?: readonly string[];
}

/** What was disturbed, and how. */
export interface Verified {
  readonly runs: number;
}

/** All that a run has left, by what it is: compared name by name. */
type Effects = ReadonlyMap<string, string>;

/**
 * Plays a scenario as it is, then with every handler run twice, with keys in other orders, and with crashes, and compares
 * what is left: documents, the events of each key in order, timers, dead letters, and what the scenario returns. Return what
 * the outside world has seen, so that calls made twice, or not at all, show.
 *
 * @param scenario drives the app it is given, and ends at rest; it is played anew for each disturbance
 * @throws {Error} that names the disturbance and the first effects that differ.
 * @example
 * ```ts
 * import { documents, event, service, topic } from "millrace";
 * import { verify } from "millrace/testing";
 * import { z } from "zod";
 *
 * const Sale = z.object({ shop: z.string(), pence: z.int() });
 * const sales = topic("sales", { key: "shop", events: { made: event("sale.made", Sale) } });
 * const totals = documents("totals", Sale, { id: "shop" });
 * const ledger = service("ledger").on(sales.made, async ({ data }, ctx) => {
 *   const before = await ctx.documents(totals).get(data.shop);
 *   ctx.documents(totals).put({ shop: data.shop, pence: (before?.pence ?? 0) + data.pence });
 * });
 *
 * await verify({ services: [ledger] }, async (run) => {
 *   await run.publish([sales.made({ shop: "s-1", pence: 5 }), sales.made({ shop: "s-2", pence: 7 })]);
 *   await run.atRest();
 * });
 * ```
 */
export async function verify(
  of: Harnessed,
  scenario: (run: Harness) => Promise<unknown>,
  options: VerifyOptions = {},
): Promise<Verified> {
  const { duplicateEverything = true, reorderAcrossKeys = 3, crashes = 10, ignore = [] } = options;
  const services = servicesOf(of);
  const play = async (disturbed: ConstructorParameters<typeof RunningHarness>[1]) => {
    const run = new RunningHarness(services, disturbed);
    try {
      await run.open();
      const returned = await scenario(run);
      return { effects: await effectsOf(run, returned, new Set(ignore)), commits: run.commits };
    } finally {
      await run.stop();
    }
  };
  const expected = await play({});
  const disturbances = [
    ...(duplicateEverything ? [{ name: "duplicateEverything", options: { duplicateEverything } }] : []),
    ...Array.from({ length: reorderAcrossKeys }, (_, n) => {
      return { name: `reorderAcrossKeys, seed ${n + 1}`, options: { reorderAcrossKeys: true, seed: n + 1 } };
    }),
    ...spread(expected.commits, crashes).map((crashAfter) => {
      return { name: `crashAfter ${crashAfter} of ${expected.commits} commits`, options: { crashAfter } };
    }),
  ];
  for (const { name, options: disturbed } of disturbances) {
    const { effects } = await play(disturbed);
    const differences = compare(expected.effects, effects);
    if (differences.length > 0) throw new Error(`${name} changes the effects:\n${differences.join("\n")}`);
  }
  return { runs: 1 + disturbances.length };
}

/** So many of the numbers from 1 to `last`, evenly; all of them when there are no more. */
function spread(last: number, count: number): readonly number[] {
  if (last <= count) return Array.from({ length: last }, (_, n) => n + 1);
  return Array.from({ length: count }, (_, n) => 1 + Math.floor((n * last) / count));
}

async function effectsOf(run: RunningHarness, returned: unknown, ignored: ReadonlySet<string>): Promise<Effects> {
  const json = (value: unknown): string =>
    JSON.stringify(value, (name, child) => (ignored.has(name) ? undefined : child));
  const effects = new Map<string, string>();
  const count = (name: string, text: string): void => {
    const line = effects.get(name);
    effects.set(name, line === undefined ? text : `${line}\n    ${text}`);
  };
  for (const [name, text] of await run.stored()) effects.set(`document ${name}`, json(JSON.parse(text)));
  for (const { topic, key, type, data } of await run.events())
    count(`events of ${topic}/${key}`, `${type} ${json(data)}`);
  for (const { consumer, type, key, data } of await run.deadLetters())
    count(`dead letters of ${consumer}, key ${key}`, `${type} ${json(data)}`);
  const timers = (await run.timers()).map(({ service, name, type, key, data }) =>
    json([service, name, type, key, data]),
  );
  for (const timer of timers.sort()) count("timers", timer);
  if (returned !== undefined) effects.set("what the scenario returned", json(returned));
  return effects;
}

const shown = 5;

function compare(expected: Effects, actual: Effects): readonly string[] {
  const names = [...new Set([...expected.keys(), ...actual.keys()])].filter(
    (name) => expected.get(name) !== actual.get(name),
  );
  const lines = names.slice(0, shown).map((name) => {
    return `  ${name}\n  - ${expected.get(name) ?? "(nothing)"}\n  + ${actual.get(name) ?? "(nothing)"}`;
  });
  return names.length > shown ? [...lines, `  and ${names.length - shown} more`] : lines;
}
