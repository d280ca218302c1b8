// Loaded before a program that is to play another version of Millrace: `MILLRACE_VERSION='{"schema":["formatVersion",5]}'
// node --import …/testing/faults-version-process.js PROGRAM` gives a constant of embedded/schema.js another value.
import { register } from "node:module";

const changed = JSON.parse(process.env.MILLRACE_VERSION ?? "{}") as Readonly<
  Record<string, readonly [name: string, value: number]>
>;
const hooks = `
const changed = ${JSON.stringify(changed)};
export async function load(url, context, next) {
  const loaded = await next(url, context);
  const [, module] = /\\/embedded\\/([a-z]+)\\.js$/.exec(url) ?? [];
  const change = changed[module];
  if (change === undefined) return loaded;
  const [name, value] = change;
  const source = String(loaded.source).replace(new RegExp("export const " + name + " = \\\\d+"), "export const " + name + " = " + value);
  return { ...loaded, source };
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
