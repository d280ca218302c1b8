import { onServers } from "../testing/trial-servers.js";

await onServers(new URL("./bank.test.ts", import.meta.url));
