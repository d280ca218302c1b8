import { type Entry, type Facts, type Logged, laneOf } from "./facts.js";
import { hashOf, orderOf, rules, subscriptions } from "./work.js";

/** The invariants of docs/chaos.md that this work can break. */
export type Invariant = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I7" | "I8" | "I9" | "I10";

/** What an audit found. */
export interface Verdict {
  readonly acked: number;
  readonly applied: number;
  /** Records of the log that repeat others, where it may. */
  readonly copies: number;
  readonly dead: number;
  /** Dead letters that are no poison: a process died thrice while nothing but this event ran, by a kill each time. */
  readonly deadByKills: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  /** "ok", or what broke: how often, and the first of it. */
  readonly invariants: Readonly<Record<Invariant, string>>;
}

type Counted = "lost" | "duplicated" | "reordered";

/** Collects what is broken. */
class Findings {
  readonly counts: Record<Counted, number> = { lost: 0, duplicated: 0, reordered: 0 };
  readonly #broken = new Map<Invariant, { times: number; readonly samples: string[] }>();

  add(invariant: Invariant, what: string, counted?: Counted): void {
    const found = this.#broken.get(invariant) ?? { times: 0, samples: [] };
    found.times += 1;
    if (found.samples.length < 3) found.samples.push(what);
    this.#broken.set(invariant, found);
    if (counted !== undefined) this.counts[counted] += 1;
  }

  of(invariant: Invariant): string {
    const found = this.#broken.get(invariant);
    return found === undefined ? "ok" : `${found.times}: ${found.samples.join("; ")}`;
  }
}

/** Facts, arranged so that each check reads them once. */
interface Ledger {
  readonly facts: Facts;
  readonly seed: number;
  /** By topic and id. */
  readonly logged: ReadonlyMap<string, Logged>;
  /** By consumer and id: how often it was applied. */
  readonly times: ReadonlyMap<string, number>;
  readonly findings: Findings;
}

/** Holds what the ground and the drivers say against each other. `left` is what was not done when rest was given up. */
export function audit(facts: Facts, seed: number, left: readonly string[]): Verdict {
  const findings = new Findings();
  const logged = new Map<string, Logged>();
  for (const event of facts.log) {
    const name = `${event.topic} ${event.id}`;
    if (logged.has(name)) findings.add("I3", `${name} is twice in the log`, "duplicated");
    else logged.set(name, event);
  }
  const times = new Map<string, number>();
  for (const { consumer, id } of facts.applied)
    times.set(`${consumer} ${id}`, (times.get(`${consumer} ${id}`) ?? 0) + 1);
  const ledger: Ledger = { facts, seed, logged, times, findings };
  checkAcks(ledger);
  checkApplied(ledger);
  checkOrder(ledger);
  checkMoney(ledger);
  checkDerived(ledger);
  checkTallies(ledger);
  checkStanding(ledger);
  for (const { invariant, what, counted } of facts.oddities) findings.add(invariant, what, counted);
  for (const what of [...left, ...facts.stops]) findings.add("I10", what);
  const names: readonly Invariant[] = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10"];
  return {
    acked: new Set(facts.acks.map(({ topic, id }) => `${topic} ${id}`)).size,
    applied: facts.applied.length,
    copies: facts.copies,
    dead: facts.entries.filter(({ state }) => state === "dead").length,
    deadByKills: deadByKills(facts),
    ...findings.counts,
    invariants: Object.fromEntries(names.map((name) => [name, findings.of(name)])) as Verdict["invariants"],
  };
}

function deadByKills({ entries, log }: Facts): number {
  const marks = new Map(log.map((event) => [spotOf(event), event.data.mark]));
  const dead = entries.filter(({ state }) => state === "dead");
  return dead.filter((entry) => !["poison", "abort"].includes(String(marks.get(spotOf(entry))))).length;
}

function spotOf({ topic, partition, offset }: Pick<Logged, "topic" | "partition" | "offset">): string {
  return `${topic} ${partition}/${offset}`;
}

/** I1: what was acknowledged is where the acknowledgement said, as it was sent. */
function checkAcks({ facts, seed, logged, findings }: Ledger): void {
  for (const { kind, id, topic, partition, offset, key, slot, n } of facts.acks) {
    const found = logged.get(`${topic} ${id}`);
    if (found === undefined) findings.add("I1", `${topic} ${id} was acknowledged and is not in the log`, "lost");
    else if (found.key !== key) findings.add("I1", `${topic} ${id} has key ${found.key}, sent was ${key}`);
    else if (kind === "nudge") {
      if (!facts.operations.has(id)) findings.add("I1", `command ${id} was acknowledged and has no operation`, "lost");
    } else if ((offset >= 0 && found.offset !== offset) || found.partition !== partition)
      findings.add(
        "I1",
        `${topic} ${id} is at ${found.partition}/${found.offset}, acknowledged ${partition}/${offset}`,
      );
    else if (kind === "order" && JSON.stringify(found.data) !== JSON.stringify(orderOf(seed, slot, n)))
      findings.add("I1", `${topic} ${id} has other content than was sent`);
  }
  const numbers = new Set<unknown>();
  for (const { topic, id, data } of facts.log) {
    if (topic !== "intake" || !(Number(data.n) >= 1e6)) continue;
    if (numbers.has(data.n))
      findings.add("I3", `order ${String(data.n)}, sent once, is in the log again as ${id}`, "duplicated");
    numbers.add(data.n);
  }
}

/** I2, I3: what was applied was in the log, a handler ran for it, and it was applied once. */
function checkApplied({ facts, logged, times, findings }: Ledger): void {
  for (const [name, count] of times)
    for (let extra = 1; extra < count; extra += 1)
      findings.add("I3", `${name} was applied ${count} times`, "duplicated");
  for (const { consumer, topic, key, id } of facts.applied) {
    if (logged.get(`${topic} ${id}`)?.key !== key)
      findings.add("I2", `${consumer} applied ${topic} ${id}, which is not in the log`);
    const keys = facts.runs.get(`${consumer} ${id}`);
    if (keys === undefined) findings.add("I2", `${consumer} applied ${id}, and no handler ran for it`);
  }
  for (const [name, keys] of facts.runs)
    if (keys.size > 1) findings.add("I3", `${name} ran under ${keys.size} idempotency keys`);
}

/** I4: of one key, in the order of the log, and nothing past a dead letter that holds it. */
function checkOrder({ facts, logged, findings }: Ledger): void {
  const last = new Map<string, number>();
  const held = heldFrom(facts);
  for (const { consumer, topic, key, id } of facts.applied) {
    const lane = `${consumer} ${topic} ${key}`;
    const offset = logged.get(`${topic} ${id}`)?.offset ?? -1;
    const before = last.get(lane) ?? -1;
    if (offset < before) findings.add("I4", `${lane}: ${offset} was applied after ${before}`, "reordered");
    last.set(lane, Math.max(before, offset));
    const dead = held.get(lane) ?? Number.POSITIVE_INFINITY;
    if (offset > dead)
      findings.add("I4", `${lane}: ${offset} was applied past ${dead}, which is dead and holds`, "reordered");
  }
}

/** By consumer, topic and key: the first dead letter that holds its key. */
function heldFrom({ entries, log }: Facts): ReadonlyMap<string, number> {
  const keys = new Map(log.map((event) => [spotOf(event), event.key]));
  const held = new Map<string, number>();
  for (const entry of entries) {
    const { consumer, topic, offset, state, holds } = entry;
    if (state !== "dead" || !holds) continue;
    const lane = `${consumer} ${topic} ${keys.get(spotOf(entry))}`;
    held.set(lane, Math.min(offset, held.get(lane) ?? offset));
  }
  return held;
}

/** I5: the accounts are what the applied orders moved, and sum up to nothing. */
function checkMoney({ facts, logged, findings }: Ledger): void {
  const expected = new Map<string, number>();
  const move = (key: string, pence: number) => expected.set(key, (expected.get(key) ?? 0) + pence);
  for (const { consumer, topic, id } of facts.applied) {
    if (consumer !== "books" || topic !== "intake") continue;
    const { key, peer, n } = (logged.get(`${topic} ${id}`)?.data ?? {}) as { key: string; peer: string; n: number };
    if (!rules.transfers(n) || key === peer) continue;
    move(key, -(n % 100));
    move(peer, n % 100);
  }
  let sum = 0;
  for (const { key, pence } of facts.accounts) {
    sum += pence;
    if (pence !== expected.get(key)) findings.add("I5", `account ${key} has ${pence}, not ${expected.get(key)}`);
    expected.delete(key);
  }
  for (const [key, pence] of expected) findings.add("I5", `account ${key} is missing, and should have ${pence}`);
  if (sum !== 0) findings.add("I5", `the accounts sum up to ${sum}`);
}

/** I6, I7: each applied event has its bill, and its reminder when it asked for one, once and not early; others have none. */
function checkDerived({ facts, logged, times, findings }: Ledger): void {
  const made = new Map<string, number>();
  const later = new Map<string, number>();
  for (const { topic, type, id, appended, data } of facts.log) {
    if (topic !== "derived") continue;
    const cause = String(data.cause);
    const of = type === "bill.made" ? made : later;
    of.set(cause, (of.get(cause) ?? 0) + 1);
    if (!times.has(`books ${cause}`))
      findings.add(type === "bill.made" ? "I6" : "I7", `${id} of ${cause}, which was not applied`);
    if (type === "bill.reminded" && appended < Number(data.due))
      findings.add("I7", `the reminder of ${cause} came ${Number(data.due) - appended} ms early`);
  }
  for (const { consumer, topic, id } of facts.applied) {
    if (consumer !== "books") continue;
    const bills = made.get(id) ?? 0;
    if (bills !== 1) findings.add("I6", `${id} has ${bills} bills`, bills === 0 ? "lost" : "duplicated");
    const wanted = topic === "intake" && rules.reminds(Number(logged.get(`${topic} ${id}`)?.data.n)) ? 1 : 0;
    const found = later.get(id) ?? 0;
    if (found !== wanted)
      findings.add("I7", `${id} has ${found} reminders, not ${wanted}`, found < wanted ? "lost" : "duplicated");
  }
  if (facts.timers > 0) findings.add("I7", `${facts.timers} timers have not fired`);
}

/** I8: each tally is the fold of what was applied. */
function checkTallies({ facts, findings }: Ledger): void {
  const expected = new Map<string, { count: number; hash: number; last: string }>();
  for (const { consumer, topic, key, id } of facts.applied) {
    if (consumer === "books.watch") continue;
    const name = `${consumer}.${topic}.${key}`;
    const before = expected.get(name) ?? { count: 0, hash: 0, last: "" };
    expected.set(name, { count: before.count + 1, hash: hashOf(before.hash, id), last: id });
  }
  for (const { id, count, hash, last } of facts.tallies) {
    const wanted = expected.get(id);
    if (wanted?.count !== count || wanted.hash !== hash || wanted.last !== last)
      findings.add(
        "I8",
        `tally ${id} counts ${count} up to ${last}, applied were ${wanted?.count} up to ${wanted?.last}`,
      );
    expected.delete(id);
  }
  for (const name of expected.keys()) findings.add("I8", `there is no tally ${name}`);
}

/** I9: each event a consumer hears is in exactly one of applied, pending, parked, dead. */
function checkStanding({ facts, times, findings }: Ledger): void {
  const entries = new Map<string, Entry[]>();
  for (const entry of facts.entries) {
    const name = `${entry.consumer} ${spotOf(entry)}`;
    entries.set(name, [...(entries.get(name) ?? []), entry]);
  }
  const dead = new Set(facts.entries.filter(({ state, holds }) => state === "dead" && holds).map(laneOf));
  const places = new Map(facts.places.map((place) => [`${place.consumer} ${place.topic} ${place.partition}`, place]));
  for (const event of facts.log) {
    const { topic, partition, offset, id, type } = event;
    for (const { consumer, topic: heard, types } of subscriptions) {
      if (heard !== topic || !types.includes(type)) continue;
      const place = places.get(`${consumer} ${topic} ${partition}`);
      const done =
        place !== undefined &&
        (offset < place.frontier || place.finished.some(([start, end]) => offset >= start && offset < end));
      const applied = times.has(`${consumer} ${id}`) || facts.operations.get(id) === "refused" ? 1 : 0;
      const waiting = entries.get(`${consumer} ${spotOf(event)}`) ?? [];
      const where = applied + (done ? 0 : 1) + waiting.length;
      const text = `${spotOf(event)} (${id}) is ${applied ? "applied, " : ""}${done ? "" : "pending, "}${waiting.map(({ state }) => state).join(", ")} for ${consumer}`;
      if (where === 0) findings.add("I9", `${text}: nowhere`, "lost");
      else if (where > 1) findings.add("I9", text);
      const open = facts.operations.get(id) === "accepted";
      if (open && applied === 1) findings.add("I9", `command ${id} was applied and its operation is open`);
      const rests = waiting.every((entry) => entry.state === "dead" || dead.has(laneOf(entry)));
      if (!done || !rests) findings.add("I10", text);
    }
  }
}
