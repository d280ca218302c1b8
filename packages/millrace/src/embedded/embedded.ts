import { resolve } from "node:path";
import type { Engine } from "../engine/engine.js";
import { openMemory, openShared } from "./open.js";

/**
 * Log and store in one SQLite file, `millrace.db` in `dir`; `:memory:` keeps nothing and is for tests.
 *
 * What a commit reports is on disk. One process at a time owns the file and writes it; others that are given the same
 * folder take part: they read the file themselves, have the owner write for them, and share the consumers' partitions.
 * When the owner ends, one of them takes its place.
 *
 * @throws {Failure} STORE_OWNED when the owner does not answer; STORE_FORMAT, STORE_DAMAGED or STORE_UNAVAILABLE, when
 * the app starts.
 */
export function embedded(dir = "./.millrace"): Engine {
  const folder = dir === ":memory:" ? undefined : resolve(dir);
  return {
    name: "embedded",
    dir: folder,
    open: async (context) => (folder === undefined ? openMemory(context) : openShared(folder, context)),
  };
}
