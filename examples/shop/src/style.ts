import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Who leads an order to its end: nobody, or a saga. */
export type Fulfilment = "choreographed" | "orchestrated";

/** How the shop is built. Both halves may be chosen by themselves: what comes of an order is the same. */
export interface Style {
  readonly fulfilment: Fulfilment;
  /** Where orders are kept: documents, or the fold of their own events. */
  readonly orders: "documents" | "event-sourced";
}

/** The flags of the shop's programs, for `parseArgs`. */
export const styleFlags = {
  orchestrated: { type: "boolean" },
  "event-sourced": { type: "boolean" },
} as const;

/** What those flags do, for the usage. */
export const styleUsage = `  --orchestrated   a saga leads each order to its end (default: a choreography)
  --event-sourced  orders are the fold of their events (default: documents)
                   Both also from the environment: SHOP_STYLE=orchestrated,event-sourced`;

type Word = keyof typeof styleFlags;

/**
 * The style that was asked for: flags, and the words of SHOP_STYLE.
 *
 * @throws {TypeError} when SHOP_STYLE holds another word.
 */
export function styleOf(flags: { readonly [W in Word]?: boolean | undefined }, env = process.env.SHOP_STYLE): Style {
  const words = new Set((env ?? "").split(",").map((word) => word.trim()));
  words.delete("");
  for (const word of words)
    if (!Object.hasOwn(styleFlags, word))
      throw new TypeError(
        `SHOP_STYLE has ${JSON.stringify(word)}; it takes orchestrated, event-sourced, or both with a comma between`,
      );
  const asked = (word: Word) => flags[word] ?? words.has(word);
  return {
    fulfilment: asked("orchestrated") ? "orchestrated" : "choreographed",
    orders: asked("event-sourced") ? "event-sourced" : "documents",
  };
}

/** The style in words, for file names: "choreographed-documents" and so on. */
export function styleName({ fulfilment, orders }: Style): string {
  return `${fulfilment}-${orders}`;
}

/** Where the shop's data is by default: each style has a folder of its own. */
export function defaultDir(style: Style): string {
  const name = styleName(style);
  return name === original ? "./.millrace" : `./.millrace/${name}`;
}

const original = "choreographed-documents";

/**
 * Makes sure that the folder holds orders of this style. The styles hear different events, so that a shop of another style
 * would find old orders new, and charge for them again.
 *
 * @throws {TypeError} when they are of another style.
 */
export async function claimDir(dir: string, style: Style): Promise<void> {
  const file = join(dir, "shop-style");
  const before = existsSync(file) ? (await readFile(file, "utf8")).trim() : unmarked(dir);
  const name = styleName(style);
  if (before !== undefined && before !== name)
    throw new TypeError(
      `${dir} holds the orders of a shop that is ${before}; give one that is ${name} a --data-dir of its own`,
    );
  await mkdir(dir, { recursive: true });
  await writeFile(file, `${name}\n`);
}

/** The style of a folder from before there were two. */
function unmarked(dir: string): string | undefined {
  return existsSync(join(dir, "millrace.db")) ? original : undefined;
}
