import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, type TestContext } from "vitest";
import { formatVersion } from "../embedded/schema.js";
import { wireVersion } from "../embedded/wire.js";
import { endTrials, tempFolder } from "../testing/trial.js";
import { expectOnceInOrder, handled, keyOf, ownerPid, Program, programs } from "../testing/trial-members.js";

const mounts: string[] = [];
afterEach(async () => {
  for (const child of programs) child.kill("SIGKILL");
  programs.clear();
  for (const dir of mounts.splice(0)) spawnSync("umount", ["--lazy", dir]);
  await endTrials();
});

const joiner = fileURLToPath(new URL("../embedded/owner-process.js", import.meta.url));
const other = new URL("../testing/faults-version-process.js", import.meta.url).href;

interface Joining {
  readonly uid?: number;
  /** A constant of a module of the embedded engine that has another value there. */
  readonly version?: readonly [module: string, name: string, value: number];
}

/** What a program says that wants to take part. */
async function joins(dir: string, { uid, version }: Joining = {}): Promise<string> {
  const [module = "", name, value] = version ?? [];
  const env = { ...process.env, MILLRACE_VERSION: JSON.stringify({ [module]: [name, value] }) };
  const args = version === undefined ? [joiner, dir] : ["--import", other, joiner, dir];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: "/",
    env,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  programs.add(child);
  return await new Promise((resolve) => {
    let said = "";
    const hear = (text: Buffer): void => {
      said += text;
      if (said.includes("\n")) resolve(said);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
  });
}

/** An owner with events that it has handled. */
async function owning(dir: string): Promise<Program> {
  const owner = await Program.start(dir);
  for (let n = 0; n < 50; n += 1) owner.publish({ key: keyOf(n), n });
  await owner.ackedAtLeast(50);
  return owner;
}

/** The owner has not been disturbed: it is the owner, publishes and handles, and another one can take part. */
async function untouched(owner: Program, dir: string): Promise<void> {
  for (let n = 50; n < 100; n += 1) owner.publish({ key: keyOf(n), n });
  await owner.ackedAtLeast(100);
  expectOnceInOrder(await handled(owner, owner.acked), owner.acked);
  expect([owner.refused, ownerPid(dir)]).toEqual([[], owner.child.pid]);
  expect(await joins(dir)).toBe("takes part\n");
}

const nobody = 65_534;

/** Skips the test where this user can play no other. */
function needsOtherUser(context: TestContext): void {
  context.skip(process.getuid?.() !== 0, "only root can become another user");
  const unreached = [process.execPath, joiner].find(
    (path) => spawnSync("test", ["-r", path], { uid: nobody, gid: nobody }).status !== 0,
  );
  context.skip(unreached !== undefined, `another user cannot read ${unreached}`);
}

describe("a process that joins, and may not write the folder", () => {
  it("is refused when it is another user's, and the owner goes on", async (context) => {
    needsOtherUser(context);
    const dir = tempFolder();
    const owner = await owning(dir);
    chmodSync(dir, 0o755);
    for (const name of ["millrace.db", "millrace.lock", "owner.json"]) chmodSync(join(dir, name), 0o644);
    expect(await joins(dir, { uid: nobody })).toMatch(
      new RegExp(
        `^STORE_UNAVAILABLE ${dir}/millrace\\.lock: the folder cannot be written; give another one, or its rights\n`,
      ),
    );
    await untouched(owner, dir);
  });

  it("is refused when it sees the folder on a disk that is mounted to be read only, and the owner goes on", async (context) => {
    const dir = tempFolder();
    const seen = `${dir}-read-only`;
    mkdirSync(seen);
    const owner = await owning(dir);
    const mount = (...args: readonly string[]) => spawnSync("mount", args).status === 0;
    const mounted = mount("--bind", dir, seen);
    if (mounted) mounts.push(seen);
    const readOnly = mounted && mount("-o", "remount,bind,ro", seen);
    context.skip(!readOnly, "a folder cannot be mounted here to be read only");
    expect(await joins(seen)).toMatch(
      new RegExp(`^STORE_UNAVAILABLE ${seen}/millrace\\.lock: the folder cannot be written`),
    );
    await untouched(owner, dir);
    spawnSync("umount", ["--lazy", seen]);
    rmSync(seen, { recursive: true });
    expect(existsSync(join(dir, "millrace.db"))).toBe(true);
  });
});

describe("a process of another version that joins", () => {
  const refusal = (dir: string, owner: Program, how: string) =>
    new RegExp(
      `^STORE_FORMAT ${dir}/millrace\\.db: process ${owner.child.pid}, which owns the file, ${how}; run the same version of Millrace in both\n$`,
    );

  it.each([
    ["an older", formatVersion - 1],
    ["a newer", formatVersion + 1],
  ])(
    "and reads %s format of the file is refused with file, both versions and what to do, and the owner goes on",
    async (_, format) => {
      const dir = tempFolder();
      const owner = await owning(dir);
      const said = await joins(dir, { version: ["schema", "formatVersion", format] });
      expect(said).toMatch(refusal(dir, owner, `writes format ${formatVersion}, process \\d+ reads format ${format}`));
      await untouched(owner, dir);
    },
  );

  it("and speaks other messages is refused likewise, also by an owner that has others already", async () => {
    const dir = tempFolder();
    const owner = await owning(dir);
    expect(await joins(dir)).toBe("takes part\n");
    const said = await joins(dir, { version: ["wire", "wireVersion", wireVersion + 1] });
    const how = `speaks version ${wireVersion} of the members' messages, process \\d+ version ${wireVersion + 1}`;
    expect(said).toMatch(refusal(dir, owner, how));
    await untouched(owner, dir);
  });

  it("does not take the file over either when the owner ends: it names the file and both formats", async () => {
    const dir = tempFolder();
    const owner = await owning(dir);
    await owner.kill();
    const format = formatVersion + 1;
    expect(await joins(dir, { version: ["schema", "formatVersion", format] })).toBe(
      `STORE_FORMAT ${dir}/millrace.db has format ${formatVersion}, this version of Millrace reads format ${format}; run the version that wrote it\n`,
    );
    const next = await Program.start(dir);
    expectOnceInOrder(await handled(next, owner.acked), owner.acked);
  });
});
