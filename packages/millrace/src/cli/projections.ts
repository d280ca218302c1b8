import type { Admin } from "../admin/admin.js";
import type { ProjectionView } from "../admin/projections.js";
import { Failure } from "../failure/failure.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { confirm, reasonFor } from "./ask.js";
import { acting, actor, reading } from "./connect.js";
import { pauseConsumer, resumeConsumer } from "./consumers.js";
import { type ExitCode, exitCodes } from "./exit.js";
import type { CommonOptions } from "./options.js";
import { type Column, noteOrigin, type Output, openOutput, printOne, printRows, readFormat } from "./output.js";
import { count, duration, plural, safe } from "./text.js";

const columns: readonly Column<ProjectionView>[] = [
  { name: "PROJECTION", text: (row) => row.projection },
  { name: "SERVICE", text: (row) => row.service },
  { name: "STATE", text: (row) => (row.paused === undefined ? row.state : `${row.state}, paused`) },
  { name: "DONE", text: (row) => `${Math.floor(row.progress * 1_000) / 10} %` },
  { name: "ETA", text: (row) => (row.etaMs === undefined ? "" : duration(row.etaMs)) },
  { name: "LAG", text: (row) => duration(row.lagMs) },
  { name: "EVENTS", text: (row) => count(row.lagRecords) },
  { name: "DEAD", text: (row) => count(row.dead) },
];

/** Lists the builds of all projections. */
export async function listProjections(options: CommonOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const answer = await reading(options, (admin) => admin.projections());
  noteOrigin(output, answer);
  printRows(output, { answer, rows: answer.projections, columns, none: "there is no projection" });
}

/** Prints the builds of one projection. */
export async function showProjection(name: string, options: CommonOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const answer = await reading(options, (admin) => admin.projections());
  const rows = meant(answer.projections, name);
  noteOrigin(output, answer);
  const { from, asOf } = answer;
  printOne(output, { from, asOf, projections: rows }, () => rows.flatMap(linesOf));
}

function linesOf(row: ProjectionView): readonly string[] {
  const line = (name: string, value: string): string => `${name.padEnd(10)} ${safe(value)}`;
  const eta = row.etaMs === undefined ? "" : `, at the end in about ${duration(row.etaMs)}`;
  return [
    line("projection", `${row.projection} of ${row.service}`),
    line("state", `${row.state} since ${row.since}${row.paused === undefined ? "" : `, paused ${row.paused}`}`),
    line("made", row.created),
    line("consumer", row.consumer),
    line("progress", `${Math.floor(row.progress * 1_000) / 10} %${eta}`),
    line("lag", `${duration(row.lagMs)}, ${plural(row.lagRecords, "event")}, ${row.dead} dead`),
    "",
  ];
}

/** Those that a name means, as the running process understands it. */
function meant(rows: readonly ProjectionView[], name: string): readonly ProjectionView[] {
  const found = rows.filter((row) =>
    [row.name, `${row.name}@${row.version}`, row.projection].some(
      (one) => one === name || `${row.service}.${one}` === name,
    ),
  );
  if (found.length > 0) return found;
  throw new Failure("NOT_FOUND", `there is no projection ${JSON.stringify(name)}; see: millrace projections ls`);
}

interface ChangeOptions extends CommonOptions {
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly wait?: string | boolean;
}

interface Change {
  readonly verb: string;
  readonly done: string;
  /** The question before it is done; undefined when nothing is lost by it. */
  readonly question?: (consumer: string) => string;
  act(
    admin: Admin,
    args: { readonly actor: string; readonly reason: string; readonly dryRun?: boolean },
  ): ReturnType<Admin["dropProjection"]>;
}

async function change(options: ChangeOptions, { verb, done, question, act }: Change): Promise<void> {
  const output: Output = openOutput(readFormat(options.output));
  const preview = await acting(options, (admin) => act(admin, { actor: actor(), reason: "", dryRun: true }));
  if (options.dryRun === true) {
    printOne(output, preview, () => [`would ${verb} ${preview.consumer}`]);
    return;
  }
  const reason = await reasonFor(options, options.reason);
  if (question !== undefined) await confirm(options, question(preview.consumer));
  const report = await acting(options, (admin) => act(admin, { actor: actor(), reason }));
  printOne(output, report, () => [
    report.changed === 0 ? `${report.consumer} is as it was` : `${done} ${report.consumer}`,
  ]);
}

/** Makes one more build of a version. */
export async function rebuildProjection(name: string, options: ChangeOptions): Promise<void> {
  const asked = { projection: name, force: options.force === true };
  await change(options, {
    verb: "build once more",
    done: "building",
    act: (admin, args) => admin.rebuildProjection({ ...args, ...asked }),
  });
}

/** Has another build answer. */
export async function swapProjection(name: string, options: ChangeOptions): Promise<void> {
  const wait = options.wait === true ? "10m" : options.wait;
  const waitMs = typeof wait === "string" ? durationMs(wait as Duration, "--wait") : 0;
  const asked = { projection: name, force: options.force === true, waitMs };
  await change(options, {
    verb: "swap in",
    done: "live is now",
    act: (admin, args) => admin.swapProjection({ ...args, ...asked }),
  });
}

/** Ends a build that does not answer. */
export async function dropProjection(name: string, options: ChangeOptions): Promise<void> {
  await change(options, {
    verb: "drop",
    done: "dropped",
    question: (consumer) => `Drop ${consumer} and its rows? There is no way back to it then but to build it again.`,
    act: (admin, args) => admin.dropProjection({ ...args, projection: name }),
  });
}

/** Pauses or resumes a build. */
export async function turnProjection(name: string, verb: "pause" | "resume", options: ChangeOptions): Promise<void> {
  const { projections } = await reading(options, (admin) => admin.projections());
  const rows = meant(projections, name);
  const build = rows.find(({ state }) => state === "building") ?? rows[0];
  const turn = verb === "pause" ? pauseConsumer : resumeConsumer;
  await turn((build as ProjectionView).consumer, options);
}

/** Compares the live rows with a fresh fold of the log. */
export async function verifyProjection(name: string, options: CommonOptions): Promise<ExitCode> {
  const output = openOutput(readFormat(options.output));
  const found = await acting(options, (admin) => admin.verifyProjection({ projection: name }));
  printOne(output, found, () => [
    `${found.consumer}: ${plural(found.rows, "row")}, checksum ${found.storedChecksum}`,
    `the log, folded anew: checksum ${found.foldedChecksum}`,
    ...(found.changed === 0 ? [] : [`${plural(found.changed, "row")} changed meanwhile and were not compared`]),
    found.equal ? "equal" : `${plural(found.differences, "row")} differ`,
    ...found.first.map(({ id, stored, folded }) => `  ${safe(id)}: stored ${text(stored)}, folded ${text(folded)}`),
  ]);
  return found.equal ? exitCodes.ok : exitCodes.threshold;
}

/** Compares two builds row by row. */
export async function compareProjections(
  name: string,
  other: string | undefined,
  options: CommonOptions,
): Promise<ExitCode> {
  const output = openOutput(readFormat(options.output));
  const asked = { projection: name, ...(other === undefined ? {} : { with: other }) };
  const found = await acting(options, (admin) => admin.compareProjections(asked));
  const equal = found.onlyOne + found.onlyOther + found.different === 0;
  printOne(output, found, () => [
    `${found.one}: ${plural(found.rows[0], "row")}; ${found.other}: ${plural(found.rows[1], "row")}`,
    `${found.equal} equal, ${found.different} different, ${found.onlyOne} only in the first, ${found.onlyOther} only in the second`,
    ...found.first.map((pair) => `  ${safe(pair.id)}: ${text(pair.one)}, ${text(pair.other)}`),
  ]);
  return equal ? exitCodes.ok : exitCodes.threshold;
}

const text = (row: unknown): string => (row === undefined ? "nothing" : safe(JSON.stringify(row)));
