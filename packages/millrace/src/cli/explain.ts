import type { DeliveryView, ExplainNode, Flow } from "../admin/admin.js";
import { reading } from "./connect.js";
import type { CommonOptions } from "./options.js";
import { noteOrigin, type Output, openOutput, printOne, readFormat } from "./output.js";
import { duration, moment, plural, safe, shorten } from "./text.js";

const reasonWidth = 160;

/** Prints what caused an event and what it caused, with what each consumer made of each. */
export async function explain(target: string, options: CommonOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const of = target.startsWith("key:") ? { key: target.slice("key:".length) } : { id: target };
  const answer = await reading(options, (admin) => admin.explain(of));
  noteOrigin(output, answer);
  printOne(output, answer, () => answer.flows.flatMap((flow) => drawFlow(output, flow)));
}

function drawFlow(output: Output, flow: Flow): readonly string[] {
  const start = Math.min(...flow.roots.map((root) => Date.parse(root.event.appended)));
  const services = new Set<string>();
  const count = (node: ExplainNode): void => {
    services.add(node.event.source);
    node.effects.forEach(count);
  };
  flow.roots.forEach(count);
  const more = flow.truncated ? ", and more that are not shown" : "";
  const title = `flow ${flow.correlationId}: ${plural(flow.events, "event")} from ${plural(services.size, "source")}${more}`;
  const lines = [output.paint("bold", title)];
  for (const root of flow.roots) lines.push(...drawNode(output, { node: root, start, first: "", rest: "" }));
  return [...lines, ""];
}

interface Drawing {
  readonly node: ExplainNode;
  /** When the flow began. */
  readonly start: number;
  /** What stands before the event's own line, and before all others. */
  readonly first: string;
  readonly rest: string;
}

function drawNode(output: Output, { node, start, first, rest }: Drawing): readonly string[] {
  const { event, deliveries, effects } = node;
  const after = Date.parse(event.appended) - start;
  const when = event.causationId === undefined ? moment(event.appended) : `+${after <= 0 ? "0 ms" : duration(after)}`;
  const head = `${first}${output.paint("bold", safe(event.type))}  ${safe(event.key)}  by ${safe(event.source)}  ${when}`;
  const bar = effects.length > 0 ? "│ " : "  ";
  const lines = [`${head}  ${output.paint("grey", event.id)}`];
  for (const line of deliveryLines(output, deliveries)) lines.push(`${rest}${bar}${line}`);
  effects.forEach((effect, index) => {
    const isLast = index === effects.length - 1;
    const branch = { first: `${rest}${isLast ? "└─ " : "├─ "}`, rest: `${rest}${isLast ? "   " : "│  "}` };
    lines.push(...drawNode(output, { node: effect, start, ...branch }));
  });
  return lines;
}

/** Consumers that are done share a line; each of the others has one with its reason. */
export function deliveryLines(output: Output, deliveries: readonly DeliveryView[]): readonly string[] {
  if (deliveries.length === 0) return [output.paint("grey", "no consumer hears it")];
  const applied = deliveries
    .filter(({ state }) => state === "applied")
    .map(({ consumer, edited }) => `${safe(consumer)}${edited === undefined ? "" : " (edited)"}`);
  const lines = applied.length === 0 ? [] : [output.paint("green", `applied: ${applied.join(", ")}`)];
  for (const delivery of deliveries) {
    if (delivery.state === "applied") continue;
    const color = delivery.state === "dead" ? "red" : "yellow";
    lines.push(output.paint(color, `${delivery.state}: ${safe(delivery.consumer)}${detailsOf(delivery)}`));
  }
  return lines;
}

function detailsOf({ entry, attempt, failure, state }: DeliveryView): string {
  const parts: string[] = [];
  if (entry !== undefined) parts.push(`entry ${entry}`);
  if (attempt !== undefined && state !== "following") parts.push(`attempt ${attempt}`);
  const why = failure === undefined ? "" : `: ${failure.code} ${safe(shorten(failure.message, reasonWidth))}`;
  return `${parts.length === 0 ? "" : ` (${parts.join(", ")})`}${why}`;
}
