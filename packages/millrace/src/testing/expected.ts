import { changesBetween } from "../aggregate/changes.js";
import { contractDeclaration, type Message } from "../contract/contract.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { difference, messageLine } from "./difference.js";

/** What leaves a handler, a saga or a process: a message now or later, a time to be woken, or a timer that is cancelled. */
export type Effect =
  | Message<string, unknown>
  | { readonly after: Duration; readonly message: Message<string, unknown> }
  | { readonly after: Duration; readonly wake: string }
  | { readonly cancel: string };

/** Two lists line by line, with the values that differ; undefined when they are alike. */
export function effectsDiffer(expected: readonly Effect[], actual: readonly Effect[]): string | undefined {
  const lines: string[] = [];
  let alike = true;
  for (let index = 0; index < Math.max(expected.length, actual.length); index += 1) {
    const [one, other] = [expected[index], actual[index]].map(storable);
    if (changesBetween(one, other).length === 0) {
      lines.push(`    ${effectLine(one)}`);
      continue;
    }
    alike = false;
    if (one !== undefined) lines.push(`  - ${effectLine(one)}`);
    if (other !== undefined) lines.push(`  + ${effectLine(other)}`);
    const [wanted, found] = [messageOf(one), messageOf(other)];
    if (wanted !== undefined && wanted.type === found?.type && changesBetween(wanted.data, found.data).length > 0)
      lines.push(difference(wanted.data, found.data));
  }
  return alike ? undefined : lines.join("\n");
}

/** One effect on one line. */
export function effectLine(effect: Storable | undefined): string {
  if (effect === undefined) return "";
  if ("type" in effect) return messageLine(effect);
  if ("cancel" in effect) return `cancel ${effect.cancel}`;
  const after = typeof effect.after === "number" ? `${effect.after}ms` : effect.after;
  return "wake" in effect ? `after ${after}: wake ${effect.wake}` : `after ${after}: ${messageLine(effect.message)}`;
}

type Storable =
  | Message<string, unknown>
  | { readonly after: Duration | number; readonly message: Message<string, unknown> }
  | { readonly after: Duration | number; readonly wake: string }
  | { readonly cancel: string };

/** What would be stored of it: two that differ in a default that is filled in, or in how a delay is written, are alike. */
function storable(effect: Effect | undefined): Storable | undefined {
  if (effect === undefined || "cancel" in effect) return effect;
  if ("type" in effect) return storableMessage(effect);
  const after = durationMs(effect.after, "then: after");
  return "wake" in effect ? { after, wake: effect.wake } : { after, message: storableMessage(effect.message) };
}

function storableMessage(message: Message<string, unknown>): Message<string, unknown> {
  const contract = contractDeclaration(message);
  return { type: contract.type, data: contract.accept(message.data) };
}

function messageOf(effect: Storable | undefined): Message<string, unknown> | undefined {
  if (effect === undefined || "cancel" in effect || "wake" in effect) return undefined;
  return "type" in effect ? effect : effect.message;
}
