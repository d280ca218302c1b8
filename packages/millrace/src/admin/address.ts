import { chmod, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { processRuns } from "../runtime/process-runs.js";

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

/** The first process of a folder leaves `admin.json`; those that take part beside it, a file with their number. */
const first = "admin.json";
const beside = (pid: number): string => `admin-${pid}.json`;
const names = /^admin(-\d+)?\.json$/;

/** Writes the address for this user's eyes only, at once as a whole. */
export async function writeAddress(dir: string, address: AdminAddress): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const known = await read(dir, first);
  const taken = known !== undefined && known.pid !== address.pid && processRuns(known.pid);
  const path = join(dir, taken ? beside(address.pid) : first);
  const temporary = `${path}.${address.pid}`;
  await rm(temporary, { force: true });
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(address)}\n`);
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** The address of a process that runs on the folder; else of the last one, which is gone; undefined when there is none. */
export async function readAddress(dir: string): Promise<AdminAddress | undefined> {
  const addresses = await readAll(dir);
  return (addresses.find(({ address }) => processRuns(address.pid)) ?? addresses[0])?.address;
}

/** Removes what this run wrote, and nothing else's. */
export async function removeAddress(dir: string, instance: string): Promise<void> {
  for (const { name, address } of await readAll(dir))
    if (address.instance === instance) await rm(join(dir, name), { force: true });
}

async function readAll(dir: string): Promise<readonly { readonly name: string; readonly address: AdminAddress }[]> {
  const found: { name: string; address: AdminAddress }[] = [];
  const files = await readdir(dir).catch(() => []);
  for (const name of files.filter((file) => names.test(file)).sort()) {
    const address = await read(dir, name);
    if (address !== undefined) found.push({ name, address });
  }
  return found;
}

async function read(dir: string, name: string): Promise<AdminAddress | undefined> {
  try {
    const found = JSON.parse(await readFile(join(dir, name), "utf8")) as Partial<AdminAddress>;
    const sound =
      [found.url, found.token, found.instance].every((text) => typeof text === "string") && Number.isInteger(found.pid);
    return sound ? (found as AdminAddress) : undefined;
  } catch {
    return undefined;
  }
}
