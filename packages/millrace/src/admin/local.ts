import { stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { Failure } from "../failure/failure.js";
import { actsOf, type Live } from "./acts.js";
import type { Admin } from "./admin.js";
import { consumerActsOf } from "./consumer-acts.js";
import { jobActsOf } from "./job-acts.js";
import { flowMap } from "./map.js";
import { projectionActsOf } from "./projection-acts.js";
import { readsOf, type Sight } from "./reads.js";
import { sagaActsOf } from "./saga-acts.js";
import { iso } from "./views.js";

/** The admin of the app that runs in this process. */
export function localAdmin(sight: Sight & { readonly live: Live }): Admin {
  const { live } = sight;
  return {
    ...readsOf(sight),
    async map(window) {
      const map = await flowMap(live.running.services, sight.inspect, window);
      return { from: "process", asOf: iso(sight.now()), ...map };
    },
    ...actsOf(live),
    ...consumerActsOf(live),
    ...jobActsOf(live),
    ...sagaActsOf(live),
    ...projectionActsOf(live),
    async backup({ file }) {
      if (!isAbsolute(file))
        throw new Failure("OPTION_INVALID", "backup: the file must be an absolute path", {
          details: { option: "file" },
        });
      await live.running.engine.backup(file);
      return { file, bytes: (await stat(file)).size };
    },
  };
}
