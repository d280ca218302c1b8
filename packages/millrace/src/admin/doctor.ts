import { stat } from "node:fs/promises";
import type { Running } from "../app/app.js";
import type { Finding } from "./admin.js";
import type { Sight } from "./reads.js";

const stillMsMax = 60_000;

/**
 * Sound or not, in sentences. Of a running process: the folder, and whether consumers run. Of a file: its own checks,
 * too, which read the whole of it; a running process leaves those to others, because they would hold up its loop.
 */
export async function diagnose(sight: Sight): Promise<readonly Finding[]> {
  const findings: Finding[] = sight.live === undefined ? [...(await sight.inspect.doctor())] : [];
  if (sight.dir !== undefined) findings.push(await privateFolder(sight.dir));
  if (sight.live !== undefined) {
    const { running } = sight.live;
    for (const { part, reason } of running.engine.troubles?.() ?? [])
      findings.push({ check: part, ok: false, detail: reason });
    findings.push(...(await consumersRun(running)));
  }
  return findings;
}

async function consumersRun(running: Running): Promise<readonly Finding[]> {
  // Loaded here, because who reads a file alone needs nothing of HTTP.
  const { laggards } = await import("../http/health.js");
  const behind = await laggards(running, stillMsMax);
  return running.consumers().map(({ consumer }) => {
    const laggard = behind.find((one) => one.consumer === consumer);
    return { check: `consumer ${consumer}`, ok: laggard === undefined, detail: laggard?.reason ?? "runs" };
  });
}

/** Windows has no such modes; there the folder's owner is who may read it. */
async function privateFolder(dir: string): Promise<Finding> {
  const mode = (await stat(dir)).mode & 0o777;
  const ok = process.platform === "win32" || (mode & 0o077) === 0;
  const detail = ok
    ? "only its owner can read it"
    : `others can read ${dir} (mode ${mode.toString(8)}); run: chmod 700 ${dir}`;
  return { check: "folder is private", ok, detail };
}
