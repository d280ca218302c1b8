import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { type BenchmarkName, benchmarks, names } from "./benchmarks.js";
import type { Figure } from "./figure.js";
import { program, say } from "./program.js";
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

function read(): Wishes {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      tiny: { type: "boolean", default: false },
      profile: { type: "string" },
    },
  });
  const unknown = positionals.filter((name) => !Object.hasOwn(benchmarks, name));
  if (unknown.length > 0) throw new Error(`there is no benchmark ${unknown.join(", ")}`);
  const chosen = positionals.length === 0 ? names : (positionals as BenchmarkName[]);
  return { names: chosen, json: values.json, tiny: values.tiny, profileDir: values.profile };
}

async function run(name: BenchmarkName, { tiny, profileDir }: Wishes): Promise<readonly Figure[]> {
  const benchmark = await benchmarks[name]();
  const stage = new TemporaryStage({ benchmark: name, tiny, profileDir, progress: say });
  try {
    return await benchmark.run(stage);
  } finally {
    await stage.close();
  }
}

/** A missed target is a figure like any other; only what could not be measured is an error. */
async function runAll(wishes: Wishes): Promise<void> {
  const figures: Figure[] = [];
  for (const name of wishes.names) {
    figures.push(...(await run(name, wishes)));
    say(`${name}: done; load average ${loadavg()[0]?.toFixed(2)}`);
  }
  process.stdout.write(wishes.json ? `${JSON.stringify(figures, null, 2)}\n` : table(figures));
}

await program({ usage, read, run: runAll });
