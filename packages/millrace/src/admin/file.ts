import type { AggregateDefinition } from "../aggregate/definition.js";
import { Failure } from "../failure/failure.js";
import type { Inspect } from "../store/inspect.js";
import type { Admin } from "./admin.js";
import { readsOf } from "./reads.js";

/** The admin of what is stored, read without a process: it shows all there is, and every act is PROCESS_MISSING. */
export function fileAdmin(file: {
  readonly inspect: Inspect;
  readonly dir: string | undefined;
  readonly stored: "file" | "servers";
  /** Those of the app's code, where it was loaded for them. */
  readonly aggregates?: readonly AggregateDefinition[] | undefined;
  now(): number;
}): Admin {
  const { inspect, dir, stored, now, aggregates } = file;
  const stopping = new AbortController().signal;
  return {
    ...readsOf({ inspect, dir, stored, now, live: undefined, aggregates, stopping }),
    map: refuse,
    forget: refuse,
    pause: refuse,
    resume: refuse,
    seek: refuse,
    edit: refuse,
    skip: refuse,
    redrive: refuse,
    redriveJob: refuse,
    changeJob: refuse,
    rebuildProjection: refuse,
    swapProjection: refuse,
    dropProjection: refuse,
    verifyProjection: refuse,
    compareProjections: refuse,
    publish: refuse,
    steerSaga: refuse,
    backup: refuse,
  };
}

async function refuse(): Promise<never> {
  throw new Failure("PROCESS_MISSING", "this needs the running app, and none answers; start it first: millrace start");
}
