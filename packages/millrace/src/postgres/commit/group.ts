import type { Progress, Unit } from "../../store/unit.js";
import type { Place } from "../places.js";

/** What one transaction is to store: units and progress of one service. */
export interface Group {
  readonly place: Place;
  readonly units: readonly Unit[];
  readonly progress: readonly Progress[];
  /** It was sent before, and its answer lost: what has no other claim is looked up. */
  readonly resent: boolean;
}

/** A document's place within its service. */
export function documentKey({ type, id }: { readonly type: string; readonly id: string }): string {
  // No type has a slash in its name.
  return `${type}/${id}`;
}

/** A stream's name, as a text. */
export function streamKey({ topic, key }: { readonly topic: string; readonly key: string }): string {
  return `${topic}/${key}`;
}

/** A lane of a consumer, as a text; no consumer has a slash in its name. */
export function laneKey(consumer: string, lane: string): string {
  return `${consumer}/${lane}`;
}

/** A value of a unique field, as a text. */
export function uniqueKey(type: string, { field, value }: { readonly field: string; readonly value: unknown }): string {
  return `${type}/${field}/${typeof value}/${String(value)}`;
}

/** What tells two events apart, as a text: a source has no line break. */
export function eventKey({ source, id }: { readonly source: string; readonly id: string }): string {
  return `${source}\n${id}`;
}
