import { embedded } from "../embedded/embedded.js";
import type { Engine } from "../engine/engine.js";
import { trialApp } from "./trial-app.js";

const dir = process.env.TRIAL_DIR ?? ".millrace";

/** Kills this process right after the commit that finished a command, before anybody is answered. */
function killedAfterCommit(engine: Engine): Engine {
  return {
    ...engine,
    async open(context) {
      const open = await engine.open(context);
      open.onHandled(() => process.kill(process.pid, "SIGKILL"));
      return open;
    },
  };
}

const engine = process.env.TRIAL_KILL === "after-commit" ? killedAfterCommit(embedded(dir)) : embedded(dir);

/** The trial app as a module that `millrace start` can start. */
export const app = trialApp({ dir, engine, signals: true, withBank: process.env.TRIAL_BANK === "1" });
