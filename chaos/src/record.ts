import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";

// The outside record: files that the drivers append to, one line an acknowledgement or a run. What `write` returned for
// survives a kill of the writer, and nobody ever changes it.

/** A promise that something is on disk. */
export interface Ack {
  /** `order`: published under an id of the driver's own. `loose`: under Millrace's. `nudge`: a command. */
  readonly kind: "order" | "loose" | "nudge";
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly slot: number;
  readonly n: number;
}

/** A run of a handler, noted when it began. */
export interface Noted {
  readonly consumer: string;
  readonly id: string;
  readonly idempotencyKey: string;
}

/** A file that only grows. */
export interface Appending {
  append(fields: readonly (string | number)[]): void;
  close(): void;
}

export function appending(file: string): Appending {
  const descriptor = openSync(file, "a");
  return {
    append: (fields) => void writeSync(descriptor, `${JSON.stringify(fields)}\n`),
    close: () => closeSync(descriptor),
  };
}

export function ackLine(ack: Ack): readonly (string | number)[] {
  return [ack.kind, ack.id, ack.topic, ack.partition, ack.offset, ack.key, ack.slot, ack.n];
}

/** The acknowledgements in a file. A line that a kill cut short is nobody's promise. */
export function* acksIn(file: string): Iterable<Ack> {
  for (const fields of linesOf(file)) {
    const [kind, id, topic, partition, offset, key, slot, n] = fields as [
      Ack["kind"],
      string,
      string,
      number,
      number,
      string,
      number,
      number,
    ];
    yield { kind, id, topic, partition, offset, key, slot, n };
  }
}

/** The runs in a file. */
export function* runsIn(file: string): Iterable<Noted> {
  for (const fields of linesOf(file)) {
    const [consumer, id, idempotencyKey] = fields as [string, string, string];
    yield { consumer, id, idempotencyKey };
  }
}

/** What a process logged: when, of which generation, how bad, and what. */
export function* troublesIn(file: string): Iterable<{ readonly level: string; readonly text: string }> {
  for (const [at, generation, pid, level, code, message] of linesOf(file))
    yield { level: String(level), text: `${at} generation ${generation} (${pid}): ${code} ${message}` };
}

function* linesOf(file: string): Iterable<readonly unknown[]> {
  if (!existsSync(file)) return;
  const text = readFileSync(file, "utf8");
  for (let at = 0; ; ) {
    const end = text.indexOf("\n", at);
    if (end < 0) return;
    const fields = fieldsOf(text.slice(at, end));
    if (fields !== undefined) yield fields;
    at = end + 1;
  }
}

/** A torn line, with the next one behind it, is none. */
function fieldsOf(line: string): readonly unknown[] | undefined {
  try {
    return JSON.parse(line) as readonly unknown[];
  } catch {
    return undefined;
  }
}
