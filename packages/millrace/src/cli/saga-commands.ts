import type { Command } from "commander";
import type { SagaArgs } from "../admin/saga-acts.js";
import type { ExitCode } from "./exit.js";

/** How commands are made: with the options that all have, or those that change something. */
export interface Making {
  about(command: Command): Command;
  changing(command: Command): Command;
  examples(...lines: readonly string[]): string;
  finish(result: ExitCode | void): void;
}

/** `millrace sagas …` */
export function addSagas(program: Command, { about, changing, examples, finish }: Making): void {
  const sagas = program.command("sagas").description("long business processes: which are stuck, at which step");
  about(sagas.command("ls [saga]", { isDefault: true }))
    .description("list instances, those that are stuck first")
    .option("--status <status>", "only those that are early, running, compensating, stuck, completed or aborted")
    .option("--limit <n>", "how many", "50")
    .option("--after <key>", "of one saga and status: where the last page ended")
    .action(async (saga, options) => finish(await (await import("./sagas.js")).listSagas(saga, options)));
  about(sagas.command("show <saga> <key>"))
    .description("print one instance: state, steps, timers, history")
    .action(async (saga, key, options) => finish(await (await import("./sagas.js")).showSaga(saga, key, options)));
  const steering = (verb: SagaArgs["verb"], description: string): Command =>
    changing(sagas.command(`${verb} <saga> <key>`))
      .description(description)
      .action(async (saga, key, options) =>
        finish(await (await import("./sagas.js")).steerSaga(verb, saga, key, options)),
      );
  const step = ["--step <name>", "which step, where not exactly one is stuck"] as const;
  steering("retry", "send the command of its stuck step again; a dead letter runs again instead")
    .option(...step)
    .addHelpText("after", examples('sagas retry fulfilment o-1 --reason "the provider is back"'));
  steering("skip", "go on without the stuck step: it was done by hand, or is not needed")
    .option(...step)
    .addHelpText("after", examples('sagas skip fulfilment o-1 --step refund --reason "paid back by hand"'));
  steering("compensate", "take back what it has done, last step first")
    .option("--force", "also past its point of no return: what has an undo is taken back")
    .addHelpText("after", examples('sagas compensate fulfilment o-1 --reason "the customer called" --dry-run'));
  steering("force", "end it as it stands: nothing more is sent or taken back")
    .option("--as <end>", "completed or aborted")
    .addHelpText("after", examples('sagas force fulfilment o-1 --as aborted --reason "settled by hand"'));
}
