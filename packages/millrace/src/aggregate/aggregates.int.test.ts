import { onServers } from "../testing/trial-servers.js";

const files = ["commands", "contended"].map((name) => new URL(`./${name}.test.ts`, import.meta.url));
await onServers(...files);
