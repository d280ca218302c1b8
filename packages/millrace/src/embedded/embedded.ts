import { resolve } from "node:path";
import type { Engine, EngineContext, OpenEngine } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import { uuidv7 } from "../runtime/ids.js";
import { Core } from "./core.js";
import { prepareFile } from "./format.js";
import { OpenEmbedded, retryMs } from "./open.js";
import { memberName, ownerOf } from "./owner.js";
import { openDatabase } from "./sqlite.js";

/**
 * Log and store in one SQLite file, `millrace.db` in `dir`; `:memory:` keeps nothing and is for tests.
 *
 * What a commit reports is on disk. One process at a time owns the file and writes it; others that are given the same
 * folder take part: they read the file themselves, have the owner write for them, and share the consumers' partitions.
 * When the owner ends, one of them takes its place.
 *
 * @throws {Failure} OPTION_INVALID when `dir` is no path; STORE_OWNED when the owner does not answer; STORE_FORMAT, STORE_DAMAGED or STORE_UNAVAILABLE, when
 * the app starts.
 */
export function embedded(dir = "./.millrace"): Engine {
  if (typeof dir !== "string" || dir === "")
    throw new Failure("OPTION_INVALID", 'embedded: takes the path of a folder, like embedded("./.millrace")', {
      details: { option: "dir" },
    });
  const folder = dir === ":memory:" ? undefined : resolve(dir);
  return {
    name: "embedded",
    dir: folder,
    open: async (context) => (folder === undefined ? openMemory(context) : openShared(folder, context)),
  };
}

/** An engine that keeps nothing. */
function openMemory(context: EngineContext): OpenEngine {
  const database = openDatabase(":memory:");
  const prepared = prepareFile(database, ":memory:", context.clock.now());
  const opened = new OpenEmbedded({ dir: undefined, reader: database, member: "1/memory", context });
  opened.own(new Core({ file: ":memory:", database, reader: database, prepared, context }));
  return opened;
}

const attachWithinMs = 10_000;

/** The file in `dir`, as its owner when it has none, else beside the owner. */
async function openShared(dir: string, context: EngineContext): Promise<OpenEngine> {
  const member = memberName(uuidv7(context.random).next(context.clock.now()));
  const opened = new OpenEmbedded({ dir, reader: undefined, member, context });
  const until = context.clock.monotonic() + attachWithinMs;
  for (let waitMs = retryMs.first; ; waitMs = Math.min(waitMs * 2, retryMs.max)) {
    if (await opened.stand()) return opened;
    if (context.clock.monotonic() >= until) break;
    await new Promise<void>((done) => context.clock.after(waitMs, done));
  }
  throw new Failure(
    "STORE_OWNED",
    `${dir} is in use by ${ownerOf(dir)}, which does not answer: it is stopped, hangs, or runs another version. Let it go on or end it, or give this process another folder`,
    { details: { dir } },
  );
}
