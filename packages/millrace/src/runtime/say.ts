import { writeSync } from "node:fs";

/**
 * For test programs that are killed: writes a line to standard output before it returns, so that what was said was said.
 * A pipe whose reader is slow is full for a moment: it is tried again.
 */
export function say(line: string | number): void {
  for (let text = `${line}\n`; text !== ""; )
    try {
      text = text.slice(writeSync(1, text));
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
    }
}
