import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { isMainThread } from "node:worker_threads";

const stdout = 1;
const turnsMax = 4;

/**
 * Makes this process kill itself a few turns of its event loop after so many lines of `say`: in the middle of its work,
 * however slow those are who read the lines. What it says in those turns is not heard any more.
 */
export function dieAfterLines(lines: number): void {
  if (!isMainThread) return;
  let left = lines;
  const { writeSync } = fs;
  const counted = (fd: number, text: string): number => {
    if (fd !== stdout) return writeSync(fd, text);
    if (left === 0) return text.length;
    const written = writeSync(fd, text);
    if (text[written - 1] === "\n") left -= 1;
    if (left === 0) dieAfterTurns(lines % turnsMax);
    return written;
  };
  Object.assign(fs, { writeSync: counted });
  // Those who have it by its name have the new one, too.
  syncBuiltinESMExports();
}

function dieAfterTurns(turns: number): void {
  if (turns === 0) process.kill(process.pid, "SIGKILL");
  else setImmediate(() => dieAfterTurns(turns - 1));
}
