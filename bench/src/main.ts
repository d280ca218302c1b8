import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { type BenchmarkName, benchmarks, names } from "./benchmarks.js";
import type { Figure } from "./figure.js";
import { TemporaryStage } from "./stage.js";
import { table } from "./table.js";

const usage = `Usage: npm run bench -- [names] [--json] [--tiny] [--profile DIR]

  names          of ${names.join(", ")} (default: all)
  --json         the figures as a JSON array on standard output
  --tiny         a few seconds of each, to see whether it works; the figures mean nothing
  --profile DIR  leaves a CPU profile of every process in DIR
`;

interface Wishes {
  readonly names: readonly BenchmarkName[];
  readonly json: boolean;
  readonly tiny: boolean;
  readonly profileDir: string | undefined;
}

/** What the command line asks for, or why it cannot be done. */
function read(): Wishes | string {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        json: { type: "boolean", default: false },
        tiny: { type: "boolean", default: false },
        profile: { type: "string" },
      },
    });
    const unknown = positionals.filter((name) => !Object.hasOwn(benchmarks, name));
    if (unknown.length > 0) return `there is no benchmark ${unknown.join(", ")}`;
    const chosen = positionals.length === 0 ? names : (positionals as BenchmarkName[]);
    return { names: chosen, json: values.json, tiny: values.tiny, profileDir: values.profile };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const say = (text: string) => void process.stderr.write(`${text}\n`);

async function run(name: BenchmarkName, { tiny, profileDir }: Wishes): Promise<readonly Figure[]> {
  const benchmark = await benchmarks[name]();
  const stage = new TemporaryStage({ benchmark: name, tiny, profileDir, progress: say });
  try {
    return await benchmark.run(stage);
  } finally {
    await stage.close();
  }
}

async function main(wishes: Wishes): Promise<void> {
  const figures: Figure[] = [];
  for (const name of wishes.names) {
    figures.push(...(await run(name, wishes)));
    say(`${name}: done; load average ${loadavg()[0]?.toFixed(2)}`);
  }
  process.stdout.write(wishes.json ? `${JSON.stringify(figures, null, 2)}\n` : table(figures));
}

const wishes = read();
if (typeof wishes === "string") {
  say(`${wishes}\n\n${usage}`);
  process.exitCode = 2;
} else {
  // Through `exit`, so that the folders go and the children see that nobody listens any more.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  // A missed target is a figure like any other; only what could not be measured is an error.
  await main(wishes);
}
