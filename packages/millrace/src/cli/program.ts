import { Command, CommanderError, Option } from "commander";
import { isFailure } from "../failure/failure.js";
import { about, changing, examples, type Finish, selecting } from "./command-options.js";
import { type ExitCode, exitCodeOf, exitCodes } from "./exit.js";
import { addJobs } from "./job-commands.js";
import { addProjections } from "./projection-commands.js";
import { addSagas } from "./saga-commands.js";

/**
 * Runs a command line and tells the exit status.
 *
 * A command's code is imported when it is called: `--help` and a mistyped option load nothing else.
 */
export async function run(args: readonly string[], version: string): Promise<ExitCode> {
  let code: ExitCode = exitCodes.ok;
  const finish = (result: ExitCode | void): void => {
    if (result !== undefined) code = result;
  };
  const program = new Command("millrace")
    .description("Runs event-driven services and shows what flows through them.")
    .version(version)
    .exitOverride()
    .showHelpAfterError("(add --help for what there is)");
  allowBefore(program);
  addRunning(program, finish);
  addEvents(program, finish);
  addAggregates(program, finish);
  addConsumers(program, finish);
  addDeadLetters(program, finish);
  addJobs(program, { about, changing, examples, finish });
  addSagas(program, { about, changing, examples, finish });
  addProjections(program, { finish, about, changing, examples });
  addCare(program, finish);
  program.addHelpText("after", exitStatusHelp);
  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    report(error);
    return exitCodeOf(error);
  }
}

function report(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`millrace: ${text}${isFailure(error) ? ` (${error.code})` : ""}\n`);
  if (process.env.MILLRACE_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
}

const exitStatusHelp = `
Exit status: 0 ok, 1 failure, 2 usage, 3 not found, 4 conflict, 5 unauthorised, 6 no process,
7 timeout, 8 partial, 9 refused, 10 threshold exceeded. Data goes to standard output, all else to
standard error. NO_COLOR switches colours off; MILLRACE_DEBUG=1 prints where an error came from.`;

/** Lets the options of {@link about} stand before the command, too: `millrace --dir data tail`. */
function allowBefore(program: Command): void {
  for (const option of about(new Command()).options)
    program.addOption(new Option(option.flags, option.description).hideHelp());
  program.hook("preAction", (_, command) => {
    for (const [name, value] of Object.entries(program.opts())) {
      if (program.getOptionValueSource(name) !== "cli") continue;
      const known = command.options.some((option) => option.attributeName() === name);
      if (!known) command.error(`error: ${command.name()} has no option --${name} (add --help for what there is)`);
      command.setOptionValueWithSource(name, value, "cli");
    }
  });
}

function addRunning(program: Command, finish: Finish): void {
  program
    .command("start [file]")
    .description("start the app that a module exports as `app` (default: millrace.app in package.json)")
    .option("--service <names>", "run only these services of the app here: orders,payments")
    .option(
      "--accept-risk <name...>",
      "start although preflight refuses: by the risk's name, said in the log each time",
    )
    .addHelpText("after", examples("start dist/main.js", "start src/main.ts", "start --service orders,payments"))
    .action(async (file: string | undefined, options) =>
      finish(await (await import("./start.js")).start(file, options)),
    );
  program
    .command("dev [file]")
    .description("like start, and again after each change of the code")
    .option("--service <names>", "run only these services of the app here: orders,payments")
    .option(
      "--accept-risk <name...>",
      "start although preflight refuses: by the risk's name, said in the log each time",
    )
    .addHelpText("after", examples("dev dist/main.js"))
    .action(async (file: string | undefined, options) => finish(await (await import("./dev.js")).dev(file, options)));
}

function addEvents(program: Command, finish: Finish): void {
  about(program.command("publish <type> [data]"))
    .description("publish an event, or send a command; data is JSON, @file, or - for standard input")
    .option("--id <id>", "an id of your own: the same id again changes nothing")
    .addHelpText(
      "after",
      examples(`publish order.placed '{"orderId":"o-1","totalPence":1250}'`, "publish order.placed @order.json"),
    )
    .action(async (type, data, options) => finish(await (await import("./publish.js")).publish(type, data, options)));
  about(program.command("tail [query...]"))
    .description("print events as they are committed")
    .option("--last <n>", "begin with this many that are there already", "10")
    .option("--limit <n>", "stop after this many")
    .addHelpText("after", examples("tail", "tail type:order.*", "tail key:o-1 --last 0 -o jsonl"))
    .action(async (terms, options) => finish(await (await import("./tail.js")).tail(terms, options)));
  const events = program.command("events").description("find events");
  about(events.command("get <id>"))
    .description("print one event and what each consumer made of it")
    .action(async (id, options) => finish(await (await import("./events.js")).getEvent(id, options)));
  about(events.command("search [query...]"))
    .description("find events; all terms must hold: type: topic: key: source: corr: since: until: data.path>value")
    .option("--limit <n>", "how many", "50")
    .option("--oldest-first", "in the order in which they were committed")
    .option("--after <cursor>", "where the last page ended")
    .addHelpText(
      "after",
      examples("events search type:order.* since:1h", "events search 'data.totalPence>5000' key:o-1 -o jsonl"),
    )
    .action(async (terms, options) => finish(await (await import("./events.js")).searchEvents(terms, options)));
  about(program.command("explain <id>"))
    .description("print what caused an event and what it caused; takes an event, an operation, or key:VALUE")
    .addHelpText("after", examples("explain 0199b3a0-7c1e-7d3a-9b1f-2f6a1c0e4d55", "explain key:o-1"))
    .action(async (id, options) => finish(await (await import("./explain.js")).explain(id, options)));
}

function addAggregates(program: Command, finish: Finish): void {
  about(program.command("aggregate <type> <id>"))
    .description(
      "print an aggregate's state, now or then; a moment is a version, a time (2h ago, ISO), or just before an event's id",
    )
    .option("--at <moment>", "as it was then")
    .option("--diff <a..b>", "what differs between two moments; without b, between one and now")
    .option("--blame <path>", "which event last set a value of the state: lines.0.quantity")
    .option(
      "--app <file>",
      "the module that exports the app, read when no process runs (default: millrace.app in package.json)",
    )
    .addHelpText(
      "after",
      examples(
        "aggregate orders o-1",
        "aggregate orders o-1 --at 3",
        "aggregate orders o-1 --diff 2h..",
        "aggregate orders o-1 --blame status",
      ),
    )
    .action(async (type, id, options) =>
      finish(await (await import("./aggregate.js")).showAggregate(type, id, options)),
    );
}

function addConsumers(program: Command, finish: Finish): void {
  const consumers = program.command("consumers").description("who is behind, since when, and why");
  about(consumers.command("ls", { isDefault: true }))
    .description("list consumers, those furthest behind first")
    .action(async (options) => finish(await (await import("./consumers.js")).listConsumers(options)));
  about(consumers.command("show <name>"))
    .description("print one consumer with its positions")
    .action(async (name, options) => finish(await (await import("./consumers.js")).showConsumer(name, options)));
  changing(consumers.command("pause <name>"))
    .description("have it start no more runs, in whatever process, until it is resumed; those under way end")
    .addHelpText("after", examples('consumers pause payments --reason "the provider is down"'))
    .action(async (name, options) => finish(await (await import("./consumers.js")).pauseConsumer(name, options)));
  changing(consumers.command("resume <name>"))
    .description("let it go on")
    .action(async (name, options) => finish(await (await import("./consumers.js")).resumeConsumer(name, options)));
  changing(consumers.command("seek <name>"))
    .description("move it to another place in its topics; going back, its handlers run again under new ids")
    .requiredOption("--to <place>", "beginning, end, an offset, or a time: 2h (ago), 2026-01-31T12:00:00Z")
    .option("--topic <name>", "in this topic alone")
    .option("--partition <n>", "in this partition alone")
    .option("--mute", "what is handled again changes documents and tables, and publishes and sends nothing")
    .addHelpText("after", examples("consumers seek search --to beginning --dry-run"))
    .action(async (name, options) => finish(await (await import("./seek.js")).seekConsumer(name, options)));
  changing(consumers.command("forget <name>"))
    .description("remove a consumer that is gone for good: it no longer keeps events from being deleted")
    .option("--force", "also one that the running app declares; it stops")
    .addHelpText("after", examples('consumers forget old-mailer --reason "replaced by notifications"'))
    .action(async (name, options) => finish(await (await import("./consumers.js")).forgetConsumer(name, options)));
}

function addDeadLetters(program: Command, finish: Finish): void {
  const letters = program.command("dead-letters").description("events that could not be handled");
  about(letters.command("ls", { isDefault: true }))
    .description("list dead letters; those that fail alike have one KIND")
    .option("--consumer <name>", "of one consumer")
    .option("--fingerprint <kind>", "of one kind")
    .option("--group", "a line for each kind: how many, since when, one example")
    .option("--parked", "those that wait for their next attempt instead")
    .option("--after <entry>", "where the last page ended")
    .option("--limit <n>", "how many", "100")
    .action(async (options) => finish(await (await import("./dead-letters.js")).listDeadLetters(options)));
  about(letters.command("show <entry>"))
    .description("print one with its data and the reason")
    .action(async (entry, options) => finish(await (await import("./dead-letters.js")).showDeadLetter(entry, options)));
  changing(letters.command("edit <entry>"))
    .description("put other data in its place, checked against the contract; without --data or --set opens $EDITOR")
    .option("--data <json>", "the new data: JSON, @file, or - for standard input")
    .option("--set <path=value...>", "replace single values of its data")
    .addHelpText("after", examples('dead-letters edit 7 --set totalPence=1250 --reason "price was text"'))
    .action(async (entry, options) => finish(await (await import("./edit.js")).editDeadLetter(entry, options)));
  selecting(letters.command("skip [entry...]"))
    .description("give them up; what waits behind them goes on")
    .addHelpText("after", examples('dead-letters skip 7 --reason "test order"'))
    .action(async (entries, options) =>
      finish(await (await import("./dead-letters.js")).skipDeadLetters(entries, options)),
    );
  addRedrive(letters, finish);
}

function addRedrive(letters: Command, finish: Finish): void {
  about(letters.command("export"))
    .description("print them as JSON lines, to be edited and imported")
    .option("--consumer <name>", "of one consumer")
    .option("--fingerprint <kind>", "of one kind")
    .addHelpText("after", examples("dead-letters export --consumer payments > letters.jsonl"))
    .action(async (options) => finish(await (await import("./export.js")).exportDeadLetters(options)));
  changing(letters.command("import <file>"))
    .description(
      "put the data of exported lines in place of theirs, checked against the contracts; exit status 8 when some are refused",
    )
    .addHelpText("after", examples('dead-letters import letters.jsonl --reason "prices mended"'))
    .action(async (file, options) => finish(await (await import("./export.js")).importDeadLetters(file, options)));
  selecting(letters.command("redrive [entry-or-term...]"))
    .description(
      "give them another run, in order: by number at once, by a query (see events search) or an option as a job",
    )
    .option("--rate <n/s>", "at most so many a second: 20/s, 30/min")
    .option("--force", "also those that jobs have redriven in vain several times")
    .addHelpText(
      "after",
      examples(
        'dead-letters redrive 7 --reason "fixed"',
        'dead-letters redrive --consumer payments --rate 20/s --reason "provider is back"',
        "dead-letters redrive type:order.* since:1h --dry-run",
      ),
    )
    .action(async (terms, options) => finish(await (await import("./redrive.js")).redriveDeadLetters(terms, options)));
}

function addCare(program: Command, finish: Finish): void {
  about(program.command("backup <file>"))
    .description("copy everything, as of one moment, into a new file, while the app runs")
    .addHelpText("after", examples("backup ./backup-2026-01-31.db"))
    .action(async (file, options) => finish(await (await import("./backup.js")).backup(file, options)));
  about(program.command("migrate-engine"))
    .description(
      "move the embedded engine's file to the servers that MILLRACE_LOG and MILLRACE_STORE name; the app is stopped",
    )
    .requiredOption("--from <engine>", "embedded")
    .requiredOption("--to <engine>", "kafka+postgres or postgres")
    .option("--dry-run", "only say what there is to move")
    .option("--without-tables", "although services have tables of their own, which are not moved")
    .option("--yes", "do not ask")
    .addHelpText("after", examples("migrate-engine --from embedded --to kafka+postgres --dry-run"))
    .action(async (options) => finish(await (await import("./migrate-engine.js")).migrate(options)));
  program
    .command("completion <shell>")
    .description("print a script that completes commands and options: bash, zsh or fish")
    .addHelpText("after", "\nExamples:\n  $ source <(millrace completion bash)\n  $ millrace completion fish | source")
    .action(async (shell: string) => {
      const { completionScript } = await import("./completion.js");
      process.stdout.write(`${completionScript(program, shell)}\n`);
    });
  about(program.command("map [file]"))
    .description(
      "who talks to whom: as declared, as the log shows it, and the difference; asks the running app, else the app in the file",
    )
    .option("--format <format>", "table, mermaid, dot or json", "table")
    .option("--since <duration>", "look at what was appended since: 1h, 7d")
    .option("--events <n>", "look at so many of the newest events", "10000")
    .option("--drift", "print the difference alone; exit status 10 when there is one")
    .addHelpText("after", examples("map", "map --format mermaid > map.mmd", "map --drift --since 1d"))
    .action(async (file, options) => finish(await (await import("./map.js")).map(file, options)));
  about(program.command("check"))
    .description("say in a sentence what is wrong, the first cause first; exit status 10 when a threshold is exceeded")
    .option("--lag <duration>", "how far a consumer may be behind", "30s")
    .option("--dead-letters <n>", "how many dead letters a consumer may have", "0")
    .addHelpText("after", examples("check", "check --lag 5m --dead-letters 10 -o json"))
    .action(async (options) => finish(await (await import("./check.js")).check(options)));
  about(program.command("doctor"))
    .description("check the file and the running app; exit status 1 when something is not sound")
    .action(async (options) => finish(await (await import("./doctor.js")).doctor(options)));
}
