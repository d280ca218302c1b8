import { onServers } from "../testing/trial-servers.js";

await onServers(new URL("./steer.test.ts", import.meta.url));
