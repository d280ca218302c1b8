import type { Origin } from "../admin/admin.js";
import { type FlowMap, flowMap, type MapEdge, type MapWindow } from "../admin/map.js";
import { declarations } from "../app/app.js";
import { Failure, isFailure } from "../failure/failure.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { acting, inspecting } from "./connect.js";
import { type ExitCode, exitCodes } from "./exit.js";
import { appFile, loadApp } from "./load.js";
import { drawDot, drawMermaid } from "./map-drawing.js";
import type { CommonOptions } from "./options.js";
import { type Column, noteOrigin, type Output, openOutput, printOne, printRows, readFormat } from "./output.js";
import { plural, safe } from "./text.js";
import { wholeNumber } from "./whole-number.js";

interface MapOptions extends CommonOptions {
  readonly format: string;
  readonly since?: string;
  readonly events: string;
  readonly drift?: boolean;
}

const drawings = { mermaid: drawMermaid, dot: drawDot } as const;

/** Prints the choreography: as declared, as observed, and how the two differ. */
export async function map(file: string | undefined, options: MapOptions): Promise<ExitCode> {
  const format = formatOf(options);
  const since =
    options.since === undefined ? {} : { since: Date.now() - durationMs(options.since as Duration, "--since") };
  const window: MapWindow = { events: wholeNumber(options.events, "--events", 1), ...since };
  const answer = await look(file, options, window);
  const output = openOutput(format === "table" || format === "json" ? readFormat(format) : readFormat(options.output));
  if (format === "mermaid" || format === "dot") output.line(drawings[format](answer));
  else if (options.drift === true) printDrift(output, answer);
  else printMap(output, answer);
  if (options.drift !== true) return exitCodes.ok;
  return answer.drift.undeclared.length + answer.drift.unfed.length === 0 ? exitCodes.ok : exitCodes.threshold;
}

/** `-o json` means the same as `--format json`. */
function formatOf({ format, output }: MapOptions): "table" | "json" | keyof typeof drawings {
  if (format === "table") return readFormat(output) === "table" ? "table" : "json";
  if (format === "json" || format === "mermaid" || format === "dot") return format;
  throw new Failure("OPTION_INVALID", `--format is ${JSON.stringify(format)}; write table, mermaid, dot or json`, {
    details: { option: "--format" },
  });
}

/** The running app knows its declarations; when none runs, the module that exports it does. */
async function look(file: string | undefined, options: MapOptions, window: MapWindow): Promise<Origin & FlowMap> {
  if (file === undefined) {
    try {
      return await acting(options, (admin) => admin.map(window));
    } catch (error) {
      if (!isFailure(error, "PROCESS_MISSING")) throw error;
    }
  }
  const path = await appFile(file);
  const services = (await loadApp(path))[declarations];
  if (services === undefined)
    throw new Failure("OPTION_INVALID", `${path}: \`app\` was not made by millrace()`, { details: { option: "file" } });
  const asOf = new Date().toISOString();
  return await inspecting(options, async (inspect, from) => ({
    from,
    asOf,
    ...(await flowMap(services, inspect, window)),
  }));
}

const columns: readonly Column<MapEdge>[] = [
  { name: "FROM", text: ({ from }) => from },
  { name: "TYPE", text: ({ type }) => type },
  { name: "TO", text: ({ to }) => to },
  { name: "EVENTS", text: ({ events }) => String(events) },
  { name: "", text: ({ declared, events }) => (declared ? (events === 0 ? "not seen" : "") : "not declared") },
];

function printMap(output: Output, map: Origin & FlowMap): void {
  noteOrigin(output, map);
  printRows(output, { answer: map, rows: map.edges, columns, none: "no consumer hears anything" });
  if (output.format !== "table") return;
  for (const line of remarks(map)) output.note(output.paint("yellow", safe(line)));
  const { events, oldest } = map.observed;
  output.note(
    output.paint("grey", events === 0 ? "the log holds no events" : `${plural(events, "event")} since ${oldest}`),
  );
}

function printDrift(output: Output, map: Origin & FlowMap): void {
  noteOrigin(output, map);
  const { asOf, from, observed, drift } = map;
  printOne(output, { asOf, from, observed, ...drift }, () => {
    const lines = driftLines(map);
    return lines.length === 0 ? ["what is declared and what was seen are the same"] : lines.map(safe);
  });
}

function driftLines({ drift }: FlowMap): readonly string[] {
  return [
    ...drift.undeclared.map(
      ({ service, cause, type, events }) =>
        `${service} publishes ${type}${cause === undefined ? "" : ` on ${cause}`} and does not declare it (${plural(events, "event")}): add it to emits`,
    ),
    ...drift.unfed.map(({ consumer, type }) => `${consumer} hears ${type}, and none was seen`),
  ];
}

function remarks(map: FlowMap): readonly string[] {
  return [
    ...driftLines(map),
    ...map.unheard.map(({ type, events }) => `nobody hears ${type} (${plural(events, "event")})`),
    ...map.cycles.map((path) => `a circle of causes: ${path.join(" → ")}`),
  ];
}
