import type { Clock } from "../runtime/clock.js";
import { fairShare } from "../store/shares.js";

/** How long a process may stay silent before others take its partitions. */
export const leaseMs = 15_000;

/** A process that runs consumers on this file: its name, and the consumers it takes part in. */
interface Member {
  readonly consumers: Set<string>;
  /** By the owner's monotonic clock; the owner itself does not expire in its own eyes. */
  aliveUntil: number;
}

/**
 * Who takes part in which consumer, as the file's owner sees it. It lives in the owner's memory only: after a take-over
 * the others make themselves known again, and nobody is taken for dead before a lease has passed.
 */
export class Leases {
  readonly #clock: Clock;
  readonly #members = new Map<string, Member>();
  /** Members named in the file that have not been heard of yet: taken for alive until then. */
  readonly #unheardUntil: number;
  /** Those that are known to be gone; of use only while members count as alive that have not been heard of. */
  readonly #ended = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#unheardUntil = clock.monotonic() + leaseMs;
  }

  /** The member takes part in the consumer. True when it did not before: the shares of the others are smaller now. */
  join(member: string, consumer: string): boolean {
    const { consumers } = this.#of(member);
    if (consumers.has(consumer)) return false;
    consumers.add(consumer);
    return true;
  }

  /** A sign of life. True when the member had been taken for dead, or was not known. */
  heard(member: string, aliveMs = leaseMs): boolean {
    const back = !this.alive(member);
    this.#of(member).aliveUntil = this.#clock.monotonic() + aliveMs;
    return back;
  }

  /** Its process is gone, or has stopped in order. */
  leave(member: string): void {
    this.#members.delete(member);
    if (this.#clock.monotonic() < this.#unheardUntil) this.#ended.add(member);
    else this.#ended.clear();
  }

  /** Forgets the members that were silent for a lease. True when there was one. */
  expire(): boolean {
    let expired = false;
    for (const [name, { aliveUntil }] of this.#members)
      if (aliveUntil <= this.#clock.monotonic()) {
        this.leave(name);
        expired = true;
      }
    return expired;
  }

  alive(member: string): boolean {
    const known = this.#members.get(member);
    if (known !== undefined) return known.aliveUntil > this.#clock.monotonic();
    return !this.#ended.has(member) && this.#clock.monotonic() < this.#unheardUntil;
  }

  /** How many of a topic's partitions are a member's; see {@link fairShare}. */
  share(
    { consumer, ...of }: { readonly member: string; readonly consumer: string; readonly topic: string },
    partitions: number,
  ): number {
    const members = [...this.#members].filter(([, { consumers }]) => consumers.has(consumer)).map(([name]) => name);
    return fairShare(of, members, partitions);
  }

  #of(name: string): Member {
    let member = this.#members.get(name);
    if (member === undefined) {
      member = { consumers: new Set(), aliveUntil: this.#clock.monotonic() + leaseMs };
      this.#members.set(name, member);
    }
    this.#ended.delete(name);
    return member;
  }
}
