import { type Context, documents } from "millrace";
import { z } from "zod";
import type { Item } from "../contracts/parts.js";

/** How many pieces of an article one desk may give away. The article's stock is the sum over all desks. */
const Counter = z.object({ counterId: z.string(), available: z.int() });
export const counters = documents("stock-counters", Counter, { id: "counterId" });

/** Pieces by counter. */
export type Takes = Readonly<Record<string, number>>;

/** The pieces that were set aside for an order, and from which counters, so that exactly those get them back. */
const Reservation = z.object({ orderId: z.string(), takes: z.record(z.string(), z.int()) });
export const reservations = documents("reservations", Reservation, { id: "orderId" });

/** How the stock is divided. */
export interface Desks {
  /** How many there are. More of them work side by side; fewer have to look into each other's drawers less often. */
  readonly desks: number;
  /** Pieces of an article on the first day. An article's counters come into being when they are first asked for. */
  readonly opening: (sku: string) => number;
}

/** The counter of an article at a desk. */
export function counterId(sku: string, desk: number): string {
  return `${sku}@${desk}`;
}

/** The desk that serves an order: always the same one, so that its reservation and its release stay in order. */
export function deskOf(id: string, desks: number): number {
  // FNV-1a: spreads ids evenly, and the same on every run.
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i += 1) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % desks;
}

/** A desk's share of the opening stock: what its counter shows before it is first written. */
export function openingShare(sku: string, desk: number, { desks, opening }: Desks): number {
  const pieces = opening(sku);
  return Math.floor(pieces / desks) + (desk < pieces % desks ? 1 : 0);
}

/** The counters as one unit of work sees and changes them. Every counter is read once, and written once at the end. */
export class Drawers {
  readonly #ctx: Context<never>;
  readonly #desks: Desks;
  readonly #changed = new Map<string, number>();

  constructor(ctx: Context<never>, desks: Desks) {
    this.#ctx = ctx;
    this.#desks = desks;
  }

  /**
   * Takes pieces from the desk's own counter, then from the other desks' when it runs dry. Reads are checked at the
   * commit, also those of other desks, so that no piece is given away twice.
   *
   * @returns what was taken from where, or undefined when all desks together have too few.
   */
  async take({ sku, quantity }: Item, desk: number): Promise<Takes | undefined> {
    const takes: Record<string, number> = {};
    let missing = quantity;
    for (let step = 0; step < this.#desks.desks && missing > 0; step += 1) {
      const at = (desk + step) % this.#desks.desks;
      const available = await this.#available(sku, at);
      const taken = Math.min(missing, available);
      if (taken <= 0) continue;
      takes[counterId(sku, at)] = taken;
      this.#changed.set(counterId(sku, at), available - taken);
      missing -= taken;
    }
    return missing > 0 ? undefined : takes;
  }

  /** Puts pieces of an article into the desk's counter. */
  async put({ sku, quantity }: Item, desk: number): Promise<void> {
    this.#changed.set(counterId(sku, desk), (await this.#available(sku, desk)) + quantity);
  }

  /** Puts back what {@link take} took. */
  async giveBack(takes: Takes): Promise<void> {
    for (const [id, quantity] of Object.entries(takes)) {
      const at = id.lastIndexOf("@");
      await this.put({ sku: id.slice(0, at), quantity }, Number(id.slice(at + 1)));
    }
  }

  /** Writes the changed counters. Without it nothing has happened. */
  close(): void {
    for (const [id, available] of this.#changed) this.#ctx.documents(counters).put({ counterId: id, available });
  }

  async #available(sku: string, desk: number): Promise<number> {
    const id = counterId(sku, desk);
    const changed = this.#changed.get(id);
    if (changed !== undefined) return changed;
    const counter = await this.#ctx.documents(counters).get(id);
    return counter?.available ?? openingShare(sku, desk, this.#desks);
  }
}

/** One item for each article: an order may name an article on several lines. */
export function perArticle(items: readonly Item[]): Item[] {
  const quantities = new Map<string, number>();
  for (const { sku, quantity } of items) quantities.set(sku, (quantities.get(sku) ?? 0) + quantity);
  return [...quantities].map(([sku, quantity]) => ({ sku, quantity }));
}
