import { embedded } from "../embedded/embedded.js";
import { silentLogger } from "../runtime/logger.js";
import { createApp } from "./create.js";
import { trialViews } from "./trial-views.js";

// A program for builds.test.ts: folds the projections of the folder's file until it is killed.

const app = createApp({ services: trialViews(), engine: embedded(process.argv[2]), logger: silentLogger }, []);
await app.start({ services: ["views"] });
process.stdout.write("started\n");
