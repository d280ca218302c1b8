import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The file in the folder that says how far off the wall clock of a process is, in ms. */
export const clockFile = (dir: string, pid: number): string => join(dir, `clock-${pid}`);

/** Sets this process's wall clock as its file in the folder says, whenever that changes. Sleeps do not see it. */
export function clockBy(dir: string): void {
  const { now } = Date;
  const file = clockFile(dir, process.pid);
  Date.now = () => now() + (existsSync(file) ? Number(readFileSync(file, "utf8")) : 0);
}
