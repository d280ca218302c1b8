// Starts the built shop the way a newcomer does and stops it: `node test/smoke-ignore-scripts.mjs`.
// CI runs it in a copy that was installed with --ignore-scripts. The README's programs run in test/snippets.test.ts.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const readyMsMax = 20_000;
const runMs = 5_000;
const stopMsMax = 15_000;
const root = resolve(import.meta.dirname, "..");
const command = [join(root, "examples/shop/dist/main.js"), "--quiet", "--port", "0"];

const folder = mkdtempSync(join(tmpdir(), "millrace-smoke-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const began = performance.now();
const shop = spawn(process.execPath, command, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });

let stopping = false;
const limit = setTimeout(() => fail(`the shop printed no line "ready …" within ${readyMsMax} ms`), readyMsMax);
createInterface({ input: shop.stdout }).on("line", (line) => {
  console.log(`shop: ${line}`);
  if (!line.startsWith("ready ") || stopping) return;
  clearTimeout(limit);
  console.log(`smoke: ready after ${Math.round(performance.now() - began)} ms`);
  setTimeout(() => {
    stopping = true;
    shop.kill("SIGTERM");
    setTimeout(() => fail(`the shop did not stop within ${stopMsMax} ms of SIGTERM`), stopMsMax).unref();
  }, runMs);
});

shop.on("exit", (code, signal) => {
  if (!stopping) fail(`the shop ended by itself (code ${code}, signal ${signal})`);
  if (code !== 0) fail(`the shop did not drain: code ${code}, signal ${signal}`);
  console.log("smoke: stopped cleanly");
});

function fail(reason) {
  console.error(`smoke: ${reason}`);
  shop.kill("SIGKILL");
  process.exit(1);
}
