import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Unavailable } from "./machine.js";
import { findProgram } from "./place.js";

const run = promisify(execFile);

/**
 * Installs Debian packages where that is nobody's business but ours: as root, in a CI run.
 *
 * @throws {Unavailable} elsewhere, with what to do.
 */
export async function installPackages(what: string, packages: readonly string[]): Promise<void> {
  const allowed = process.env["CI"] === "true" && process.getuid?.() === 0 && findProgram("apt-get") !== undefined;
  if (!allowed)
    throw new Unavailable(`${what} is not installed here; on Debian: apt-get install ${packages.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  try {
    await run("apt-get", ["update", "-q"], { env });
    await run("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...packages], { env });
  } catch (error) {
    throw new Unavailable(`${what} could not be installed: ${(error as Error).message}`, { cause: error });
  }
}
