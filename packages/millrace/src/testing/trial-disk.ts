import { spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "vitest";

const mounted: string[] = [];

/** A disk of six megabytes; the test is skipped where this user may not mount one. */
export function smallDisk(context: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "millrace-disk-"));
  const { status, stderr, error } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", dir], {
    encoding: "utf8",
  });
  if (status !== 0) {
    rmSync(dir, { recursive: true });
    context.skip(`a small disk cannot be mounted here: ${error?.message ?? stderr.trim()}`);
  }
  mounted.push(dir);
  return dir;
}

/** Takes all the space that is left on a disk. */
export function fill(dir: string): void {
  for (let size = 1024 * 1024; size >= 1; size = Math.floor(size / 2)) {
    const some = Buffer.alloc(size);
    try {
      for (;;) appendFileSync(join(dir, "ballast"), some);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
}

/** Gives back what {@link fill} took. */
export const empty = (dir: string): void => rmSync(join(dir, "ballast"), { force: true });

/** Gives back what was taken of all disks: for `afterEach`, before the apps are stopped. */
export function freeDisks(): void {
  for (const dir of mounted) empty(dir);
}

/** For `afterEach`, when nothing uses the disks any more. */
export function unmountDisks(): void {
  for (const dir of mounted.splice(0)) {
    // Lazily: on Node 20 the file stays open until the statements of its connection are collected.
    spawnSync("umount", ["--lazy", dir]);
    rmSync(dir, { recursive: true });
  }
}
