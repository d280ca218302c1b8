import { chmod, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** How the command line finds and is let into a running process. */
export interface AdminAddress {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  /** Names this run of the process: an answer without it comes from somebody else on the same port. Not secret. */
  readonly instance: string;
}

/** The header in which the process that answers names its run. */
export const instanceHeader = "millrace-instance";

const fileOf = (dir: string): string => join(dir, "admin.json");

/** Writes the address for this user's eyes only, at once as a whole. */
export async function writeAddress(dir: string, address: AdminAddress): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const temporary = `${fileOf(dir)}.${address.pid}`;
  await rm(temporary, { force: true });
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(address)}\n`);
  } finally {
    await file.close();
  }
  await rename(temporary, fileOf(dir));
}

/** The address that the last process wrote, which may be gone; undefined when none is written, or not one. */
export async function readAddress(dir: string): Promise<AdminAddress | undefined> {
  try {
    const found = JSON.parse(await readFile(fileOf(dir), "utf8")) as Partial<AdminAddress>;
    const sound =
      [found.url, found.token, found.instance].every((text) => typeof text === "string") && Number.isInteger(found.pid);
    return sound ? (found as AdminAddress) : undefined;
  } catch {
    return undefined;
  }
}

/** Removes the address, unless a newer process has written its own. */
export async function removeAddress(dir: string, instance: string): Promise<void> {
  if ((await readAddress(dir))?.instance === instance) await rm(fileOf(dir), { force: true });
}
