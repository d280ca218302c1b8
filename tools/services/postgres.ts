import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { chmod, chown, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { installPackages } from "./install.js";
import { LocalProcess } from "./local-process.js";
import { type Servers, Unavailable } from "./machine.js";
import { findProgram, freePorts, workFolder } from "./place.js";

const run = promisify(execFile);
const debianFolder = "/usr/lib/postgresql";

/** A PostgreSQL of this machine's own installation, with an empty cluster, on a free loopback port; `name` is letters and digits. */
export async function localPostgres(name: string): Promise<Servers> {
  const bin = await programs();
  const [port] = await freePorts(1);
  const as = await unprivileged();
  const folder = await workFolder("postgres");
  const cluster = join(folder, "data");
  const password = randomBytes(12).toString("hex");
  const passwordFile = join(folder, "password");
  try {
    await mkdir(cluster, { mode: 0o700 });
    await writeFile(passwordFile, password, { mode: 0o600 });
    await writeFile(join(folder, "log"), "", { mode: 0o600 });
    if (as !== undefined) for (const path of [folder, cluster, passwordFile]) await chown(path, as.uid, as.gid);
    const trust = ["--auth", "scram-sha-256", "--username", "millrace", "--pwfile", passwordFile];
    await run(join(bin, "initdb"), ["--pgdata", cluster, "--encoding", "UTF8", "--no-locale", ...trust], {
      cwd: folder,
      ...as,
    });
    await chmod(folder, 0o700);
    const server = new LocalProcess({
      name: `postgres-${name}`,
      command: join(bin, "postgres"),
      args: ["-D", cluster, ...settings({ port: port as number, folder })],
      as,
      log: join(folder, "log"),
      ready: /database system is ready to accept connections/,
      readyMsMax: 60_000,
      stopSignal: "SIGINT",
      folder,
    });
    await server.start();
    return {
      origin: "local",
      address: `postgres://millrace:${password}@127.0.0.1:${port}/postgres`,
      machines: [server],
      async close() {
        await server.stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function settings({ port, folder }: { readonly port: number; readonly folder: string }): readonly string[] {
  const all = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: folder,
    max_connections: 300,
    shared_buffers: "128MB",
    // Room for a benchmark's writes between checkpoints.
    max_wal_size: "2GB",
    // Logical decoding and table watching need it, and nothing else is slower for it.
    wal_level: "logical",
    log_min_messages: "warning",
    timezone: "UTC",
  };
  return Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** The folder of the newest installation. */
async function programs(): Promise<string> {
  return installed() ?? (await installPackages("PostgreSQL", ["postgresql"]).then(installed)) ?? missing();
}

function missing(): never {
  throw new Unavailable("PostgreSQL is installed, but its programs initdb and postgres were not found");
}

function installed(): string | undefined {
  let versions: readonly string[] = [];
  try {
    versions = readdirSync(debianFolder).sort((a, b) => Number(b) - Number(a));
  } catch {
    // Not Debian, or nothing installed.
  }
  const found = findProgram(
    "initdb",
    versions.map((version) => join(debianFolder, version, "bin")),
  );
  return found === undefined ? undefined : dirname(found);
}

/** PostgreSQL refuses to run as root: then, the user that its package makes, or nobody. */
async function unprivileged(): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const user of ["postgres", "nobody"]) {
    try {
      const [uid, gid] = await Promise.all([run("id", ["-u", user]), run("id", ["-g", user])]);
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    } catch {
      // There is no such user.
    }
  }
  throw new Unavailable("PostgreSQL does not run as root, and there is no user postgres or nobody");
}
