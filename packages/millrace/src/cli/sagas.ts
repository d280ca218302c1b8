import type { SagaArgs } from "../admin/saga-acts.js";
import { type SagaSummary, sagaStatuses } from "../admin/saga-reads.js";
import { Failure } from "../failure/failure.js";
import type { SagaStatus } from "../saga/instance.js";
import type { SagaInstance } from "../saga/view.js";
import { confirm, reasonFor } from "./ask.js";
import { acting, actor, reading } from "./connect.js";
import type { CommonOptions } from "./options.js";
import { type Column, noteOrigin, openOutput, printOne, printRows, readFormat } from "./output.js";
import { duration, moment, safe, shorten } from "./text.js";
import { wholeNumber } from "./whole-number.js";

interface ListOptions extends CommonOptions {
  readonly status?: string;
  readonly after?: string;
  readonly limit: string;
}

const whyWidth = 80;

function columnsAt(now: number): readonly Column<SagaSummary>[] {
  return [
    { name: "SAGA", text: (row) => row.saga },
    { name: "KEY", text: (row) => row.key },
    { name: "STATUS", text: (row) => row.status },
    { name: "STEP", text: (row) => row.current.join(", ") },
    { name: "AGE", text: (row) => duration(now - Date.parse(row.started)) },
    { name: "QUIET FOR", text: (row) => duration(now - Date.parse(row.changed)) },
    { name: "WHY", text: (row) => shorten(row.why ?? "", whyWidth) },
  ];
}

/** Lists instances of sagas, those that are stuck first. */
export async function listSagas(saga: string | undefined, options: ListOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const args = {
    limit: wholeNumber(options.limit, "--limit"),
    ...(saga === undefined ? {} : { saga }),
    ...(options.status === undefined ? {} : { status: statusOf(options.status) }),
    ...(options.after === undefined ? {} : { after: options.after }),
  };
  const answer = await reading(options, (admin) => admin.sagas(args));
  noteOrigin(output, answer);
  printRows(output, {
    answer,
    rows: answer.sagas,
    columns: columnsAt(Date.parse(answer.asOf)),
    none: "no saga is there",
  });
}

function statusOf(given: string): SagaStatus {
  const found = sagaStatuses.find((status) => status === given);
  if (found !== undefined) return found;
  throw new Failure("OPTION_INVALID", `--status is ${JSON.stringify(given)}; write one of ${sagaStatuses.join(", ")}`, {
    details: { option: "--status" },
  });
}

/** Prints one instance: its steps, its timers, and what happened to it. */
export async function showSaga(saga: string, key: string, options: CommonOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const answer = await reading(options, (admin) => admin.saga({ saga, key }));
  noteOrigin(output, answer);
  printOne(output, answer, () => linesOf(answer.service, answer.instance));
}

function linesOf(service: string, instance: SagaInstance): readonly string[] {
  const { saga, key, status, why, state, steps, timers, history, transitions, started, ended } = instance;
  const line = (name: string, value: string): string => `${name.padEnd(10)} ${safe(value)}`;
  const left = transitions - history.length;
  return [
    line("saga", `${saga} of ${service}`),
    line("key", key),
    line("status", why === undefined ? status : `${status}: ${why}`),
    line("started", `${moment(started)}${ended === undefined ? "" : `, ended ${moment(ended)}`}`),
    line("state", JSON.stringify(state) ?? ""),
    ...steps.map(({ name, status: at, tries, why: reason, overdue }) =>
      line(
        "step",
        `${name} ${at}, command ${tries}${overdue ? ", overdue" : ""}${reason === undefined ? "" : `: ${reason}`}`,
      ),
    ),
    ...timers.map(({ what, step, due }) =>
      line("timer", `${what}${step === undefined ? "" : ` of ${step}`} at ${moment(due)}`),
    ),
    "",
    ...history.map(({ at, type, step = "", number, why: reason, actor: by, event }) => {
      const what = [type, step, number === undefined ? "" : `#${number}`].filter((part) => part !== "").join(" ");
      const said = [by === undefined ? "" : `by ${by}`, reason ?? ""].filter((part) => part !== "").join(": ");
      return safe(`${moment(at)}  ${what.padEnd(20)} ${event}${said === "" ? "" : `  ${said}`}`);
    }),
    ...(left > 0 ? [`(${left} transitions in the middle are not kept)`] : []),
  ];
}

interface SteerOptions extends CommonOptions {
  readonly step?: string;
  readonly force?: boolean;
  readonly as?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** Has one instance go on. */
export async function steerSaga(
  verb: SagaArgs["verb"],
  saga: string,
  key: string,
  options: SteerOptions,
): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const args = {
    saga,
    key,
    verb,
    actor: actor(),
    ...(options.step === undefined ? {} : { step: options.step }),
    ...(options.force === true ? { past: true } : {}),
    ...(verb === "force" ? { end: endOf(options.as) } : {}),
  };
  const preview = await acting(options, (admin) => admin.steerSaga({ ...args, reason: "", dryRun: true }));
  const comes = preview.facts.join(", ");
  if (options.dryRun === true) {
    printOne(output, preview, () => [`would ${verb} ${saga} ${key}: ${comes}`]);
    return;
  }
  const reason = await reasonFor(options, options.reason);
  await confirm(options, `${verb} ${saga} ${key}? Then: ${comes}.`);
  const report = await acting(options, (admin) => admin.steerSaga({ ...args, reason }));
  printOne(output, report, () => [`${saga} ${key}: ${report.facts.join(", ")}`]);
}

function endOf(given: string | undefined): "completed" | "aborted" {
  if (given === "completed" || given === "aborted") return given;
  throw new Failure("OPTION_INVALID", "--as says how it ends: completed or aborted", { details: { option: "--as" } });
}
