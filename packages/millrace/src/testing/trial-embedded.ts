import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { embedded } from "../embedded/embedded.js";
import type { OpenEngine } from "../engine/engine.js";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { virtualClock } from "./virtual-clock.js";

/** The ways in which the embedded engine is used: each keeps all of its promises. */
export const embeddedKinds = ["in memory", "on a file", "over the socket of a file's owner"] as const;

/** One of {@link embeddedKinds}. */
export type EmbeddedKind = (typeof embeddedKinds)[number];

/** An engine for a suite of conformance. */
export interface EmbeddedTrial {
  readonly engine: OpenEngine;
  /** Closes it, and opens it again. What is in memory stays open: it would be gone. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

/** Opens one in a folder of its own; `prepare` is run on it each time it was opened. */
export async function openEmbeddedTrial(
  kind: EmbeddedKind,
  prepare: (engine: OpenEngine) => Promise<void> = () => Promise.resolve(),
): Promise<EmbeddedTrial> {
  const dir = kind === "in memory" ? ":memory:" : mkdtempSync(join(tmpdir(), "millrace-trial-"));
  const shared = kind === "over the socket of a file's owner";
  const context = { clock: shared ? systemClock : virtualClock(), random: systemRandom, logger: silentLogger };
  const owner = shared ? await embedded(dir).open(context) : undefined;
  const open = async () => {
    const opened = await embedded(dir).open(context);
    await prepare(opened);
    return opened;
  };
  let engine = await open();
  return {
    get engine() {
      return engine;
    },
    async reopen() {
      if (kind === "in memory") return;
      await engine.close();
      engine = await open();
    },
    async close() {
      await engine.close();
      await owner?.close();
      if (dir !== ":memory:") rmSync(dir, { recursive: true });
    },
  };
}
