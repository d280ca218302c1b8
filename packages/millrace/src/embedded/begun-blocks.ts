import { cut } from "../log/block.js";
import type { Block, Topic } from "./topics.js";

/** So much text of blocks is kept, in characters, beside the block that was read last. */
const charactersMax = 8 * 1024 * 1024;

/** Whether a record is in a block. */
export function holds({ first, count }: Block, offset: number): boolean {
  return offset >= first && offset < first + count;
}

/** Blocks of which a part was read: those who read the log in pieces want the rest of them next. */
export class BegunBlocks {
  #begun: { readonly topic: Topic; readonly block: Block }[] = [];
  #characters = 0;

  find(topic: Topic, offset: number): Block | undefined {
    return this.#begun.find((one) => one.topic === topic && holds(one.block, offset))?.block;
  }

  /** Some of a block's records, as a block; the block is kept until it was read to its end. */
  read(topic: Topic, block: Block, { from, most }: { readonly from: number; readonly most: number }): Block {
    const part = cut(block, from - block.first, most);
    this.#forget(block);
    if (part.first + part.count === block.first + block.count) return part;
    this.#begun.push({ topic, block });
    this.#characters += block.body.length;
    while (this.#characters > charactersMax && this.#begun.length > 1) this.#forget(this.#begun[0]?.block as Block);
    return part;
  }

  #forget(block: Block): void {
    const at = this.#begun.findIndex((one) => one.block === block);
    if (at < 0) return;
    this.#begun.splice(at, 1);
    this.#characters -= block.body.length;
  }
}
