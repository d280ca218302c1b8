import { parseArgs } from "node:util";
import { replayByMany } from "./replay/cluster.js";
import { names } from "./shop.js";

const usage = `Usage: MILLRACE_STORE=postgres://… [MILLRACE_LOG=kafka://…] npm run shop:cluster -- FILE [--times 2] [--json]

Replays the invoices of FILE through the shop as eight processes, one for each service (--times: so many of each), and prints
the report from the read models.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { times: { type: "string", default: "1" }, json: { type: "boolean", default: false } },
});
const [file] = positionals;
const times = Number(values.times);
const { MILLRACE_STORE: store } = process.env;
if (file === undefined || !Number.isInteger(times) || times < 1 || store === undefined) {
  process.stderr.write(usage);
  process.exitCode = 2;
} else {
  const env: Record<string, string> = {};
  for (const name of ["MILLRACE_STORE", "MILLRACE_LOG", "MILLRACE_DIR", "MILLRACE_ACCEPT_RISK"]) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  const processes = Array.from({ length: times }, () => names.map((name) => [name])).flat();
  const started = performance.now();
  const answers = await replayByMany({ file, env, processes, terminal: process.stderr });
  process.stdout.write(`${JSON.stringify(answers, undefined, 1)}\n`);
  if (!values.json)
    process.stderr.write(`${processes.length} processes, ${Math.round((performance.now() - started) / 1_000)} s\n`);
}
