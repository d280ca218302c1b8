import { onServers } from "../testing/trial-servers.js";

await onServers(new URL("./course.test.ts", import.meta.url));
