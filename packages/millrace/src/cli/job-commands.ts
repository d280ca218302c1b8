import type { Command } from "commander";
import type { Making } from "./saga-commands.js";

/** `millrace jobs …` */
export function addJobs(program: Command, { about, changing, examples, finish }: Making): void {
  const jobs = program.command("jobs").description("bulk work that goes on until it is done, whoever started it");
  about(jobs.command("ls", { isDefault: true }))
    .description("list jobs, the newest first")
    .option("--limit <n>", "how many", "20")
    .option("--watch", "show how far they are until none runs; exit status 8 when one pauses or something died again")
    .action(async (options) => finish(await (await import("./jobs.js")).listJobs(options)));
  about(jobs.command("show <job>"))
    .description("print one, and what became of its dead letters")
    .option("--state <outcome>", "only those that are pending, redriven, succeeded, died, gone or skipped")
    .option("--limit <n>", "how many", "100")
    .option("--watch", "show how far it is until it ends or pauses; exit status 8 unless all of it was handled")
    .action(async (job, options) => finish(await (await import("./jobs.js")).showJob(job, options)));
  about(jobs.command("export <job>"))
    .description("print what a seek has taken away as JSON lines: events that waited in lanes, and timers")
    .addHelpText("after", examples("jobs export 7 > taken-away.jsonl"))
    .action(async (job, options) => finish(await (await import("./export.js")).exportJob(job, options)));
  const verbs = {
    pause: "start no more of its items",
    resume: "go on; what has died so far is accepted",
    cancel: "end it; what has not started stays dead",
  } as const;
  for (const [type, description] of Object.entries(verbs) as [keyof typeof verbs, string][])
    changing(jobs.command(`${type} <job>`))
      .description(description)
      .action(async (job, options) => finish(await (await import("./jobs.js")).changeJob(job, { type }, options)));
  changing(jobs.command("rate <job> <n/s>"))
    .description("start at most so many a second: 20/s, 30/min, none")
    .action(async (job, given, options) => {
      const { changeJob, readRate } = await import("./jobs.js");
      finish(await changeJob(job, { type: "rate", rate: readRate(given, "RATE") }, options));
    });
}
