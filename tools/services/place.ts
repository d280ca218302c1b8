import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";

/** A folder of this user that outlives runs: downloads, and the address of servers that were started by hand. */
export async function cacheFolder(): Promise<string> {
  const folder = join(tmpdir(), `millrace-services-${userInfo().uid}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** A new folder for what servers store. Others may pass through it: a server can run as another user. */
export async function workFolder(kind: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `millrace-${kind}-`));
  await chmod(folder, 0o711);
  return folder;
}

/** Loopback ports that nobody listens on at this moment, all different. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((listening, failed) => {
        server.once("error", failed);
        server.listen(0, "127.0.0.1", listening);
      });
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}

/** Where a program of this name is; undefined when it is in none of the folders of PATH, nor in `more`. */
export function findProgram(name: string, more: readonly string[] = []): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...more];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
