import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { pinoLogger, silentLogger } from "./logger.js";

it("writes JSON lines with the fields of its children to standard error, and nothing below its level", () => {
  // The built file: a process of its own does not read TypeScript.
  const file = new URL("../../dist/runtime/logger.js", import.meta.url).href;
  const program = `
    import { pinoLogger } from ${JSON.stringify(file)};
    const log = pinoLogger("warn").child({ service: "payments" });
    log.info({}, "quiet"); log.warn({ n: 1 }, "loud"); process.stdout.write("out");`;
  const result = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  expect(result).toMatchObject({ status: 0, stdout: "out" });
  expect(JSON.parse(result.stderr)).toMatchObject({ service: "payments", n: 1, msg: "loud" });
});

it("can be silent", () => {
  expect(silentLogger.child({ a: 1 })).toBe(silentLogger);
  expect(() => pinoLogger("silent").error({}, "x")).not.toThrow();
});
