import type { Change } from "../engine/engine.js";
import type { ActOutcome, Operate } from "../store/operate.js";
import type { OperateParts } from "./acting.js";
import { drop, forget, rebuild, swap } from "./builds.js";
import { advanceJobs } from "./job-ladder.js";
import { changeJob, createJob } from "./jobs.js";
import { edit, redrive, skip } from "./operate-letters.js";
import { pause, resume } from "./pauses.js";
import { seek } from "./seek.js";

/** Operators' acts. Other processes are told of each once it is committed. */
export function createOperate(parts: OperateParts): Operate {
  const told = async <T extends ActOutcome>(done: Promise<T>, changeOf: (outcome: T) => Change): Promise<T> => {
    const outcome = await done;
    if (outcome.changed > 0) parts.ring(changeOf(outcome));
    return outcome;
  };
  const changed = ({ lanes }: ActOutcome): Change => ({ lanes, amended: true });
  const moved = ({ lanes }: ActOutcome): Change => ({ lanes, amended: true, leases: true });
  const paused = (): Change => ({ pauses: true });
  const built = (): Change => ({ builds: true });
  const worked = (): Change => ({ jobs: true });
  return {
    edit: (made, act) => told(edit(parts, made, act), changed),
    skip: (entries, act) => told(skip(parts, entries, act), changed),
    redrive: (entries, act) => told(redrive(parts, entries, act), changed),
    forget: (consumer, act) => told(forget(parts, consumer, act), (outcome) => ({ ...moved(outcome), builds: true })),
    pause: (consumer, act) => told(pause(parts, consumer, act), paused),
    resume: (consumer, act) => told(resume(parts, consumer, act), paused),
    seek: (asked, act) => told(seek(parts, asked, act), moved),
    rebuild: (view, act) => told(rebuild(parts, view, act), built),
    swap: (asked, act) => told(swap(parts, asked, act), built),
    drop: (build, act) => told(drop(parts, build, act), () => ({ builds: true, leases: true })),
    createJob: (job, act) => told(createJob(parts, job, act), worked),
    changeJob: (job, change, act) => told(changeJob(parts, job, change, act), worked),
    advanceJobs: async (now) => {
      const outcome = await advanceJobs(parts, now);
      if (outcome.lanes.length > 0) parts.ring({ lanes: outcome.lanes });
      return outcome;
    },
  };
}
