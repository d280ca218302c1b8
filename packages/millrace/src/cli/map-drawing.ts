import type { FlowMap, MapEdge } from "../admin/map.js";

/** All that goes from one service to another. */
interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly types: readonly string[];
  readonly look: "seen" | "not-seen" | "not-declared";
}

/** One arrow for each pair of services and look; within a service as well. */
function arrowsOf({ edges }: FlowMap): readonly Arrow[] {
  const arrows = new Map<string, { from: string; to: string; types: Set<string>; look: Arrow["look"] }>();
  for (const edge of edges) {
    const look = lookOf(edge);
    const name = `${edge.from}\n${edge.service}\n${look}`;
    const arrow = arrows.get(name) ?? { from: edge.from, to: edge.service, types: new Set<string>(), look };
    arrow.types.add(edge.type);
    arrows.set(name, arrow);
  }
  return [...arrows.values()].map((arrow) => ({ ...arrow, types: [...arrow.types] }));
}

function lookOf({ declared, events }: MapEdge): Arrow["look"] {
  if (!declared) return "not-declared";
  return events === 0 ? "not-seen" : "seen";
}

function nodesOf(map: FlowMap, arrows: readonly Arrow[]): readonly string[] {
  return [...new Set([...map.services, ...arrows.flatMap(({ from, to }) => [from, to])])];
}

/** The map as a Mermaid flowchart: dashed is declared and not seen, red is seen and not declared. */
export function drawMermaid(map: FlowMap): string {
  const arrows = arrowsOf(map);
  const nodes = nodesOf(map, arrows);
  const id = (name: string) => `s${nodes.indexOf(name)}`;
  const line = ({ from, to, types, look }: Arrow) => {
    const label = `"${types.join("<br/>")}"`;
    return `  ${id(from)} ${look === "seen" ? `-- ${label} -->` : `-. ${label} .->`} ${id(to)}`;
  };
  const red = arrows.flatMap(({ look }, index) => (look === "not-declared" ? [index] : []));
  return [
    "flowchart LR",
    ...nodes.map((name) => `  ${id(name)}["${name}"]`),
    ...arrows.map(line),
    ...red.map((index) => `  linkStyle ${index} stroke:red,color:red`),
  ].join("\n");
}

/** The map in the language of Graphviz, looking as in {@link drawMermaid}. */
export function drawDot(map: FlowMap): string {
  const arrows = arrowsOf(map);
  const looks = { seen: "", "not-seen": ", style=dashed", "not-declared": ", style=dotted, color=red, fontcolor=red" };
  const line = ({ from, to, types, look }: Arrow) =>
    `  ${JSON.stringify(from)} -> ${JSON.stringify(to)} [label=${JSON.stringify(types.join("\n"))}${looks[look]}];`;
  return [
    "digraph millrace {",
    "  rankdir=LR;",
    "  node [shape=box];",
    ...nodesOf(map, arrows).map((name) => `  ${JSON.stringify(name)};`),
    ...arrows.map(line),
    "}",
  ].join("\n");
}
