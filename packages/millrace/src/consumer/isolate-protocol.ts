import { type FailureCode, failureCodes } from "../failure/codes.js";
import { describeError, Failure, isFailure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import type { DocumentQuery } from "../store/document-query.js";
import type { DocumentTypeShape } from "../store/store.js";
import type { DocumentRead, Effects } from "../store/unit.js";
import type { Routes } from "./outgoing.js";

/** What a worker is told when it starts. */
export interface IsolateSetting {
  /** The module whose default export is the handler. */
  readonly url: string;
  readonly consumer: string;
  readonly service: string;
  readonly routes: Routes;
  readonly emits: ReadonlySet<string>;
}

/** A run, as it crosses to the worker. `now` is the app's clock at that moment. */
export interface IsolateRun {
  readonly type: "run";
  readonly record: LogRecord;
  readonly generation: number;
  readonly attempt: number;
  readonly now: number;
}

/** What the worker asks of the store of the main thread. */
export type IsolateQuestion =
  | { readonly what: "document"; readonly service: string; readonly type: string; readonly id: string }
  | { readonly what: "documents"; readonly query: DocumentQuery }
  | { readonly what: "declare"; readonly shape: Omit<DocumentTypeShape, "indexOf"> };

export type ToWorker =
  | IsolateRun
  | { readonly type: "abort"; readonly error: PortableError }
  | { readonly type: "answer"; readonly ask: number; readonly value: unknown }
  | { readonly type: "refusal"; readonly ask: number; readonly error: PortableError };

/** How a run ended in the worker. */
export interface IsolateEnded {
  readonly type: "ended";
  readonly effects: Effects;
  readonly reads: readonly DocumentRead[];
  /** A command's refusal. */
  readonly value: unknown;
  readonly error: PortableError | undefined;
}

export type FromWorker =
  | IsolateEnded
  | { readonly type: "ask"; readonly ask: number; readonly question: IsolateQuestion }
  | {
      readonly type: "log";
      readonly level: "debug" | "info" | "warn" | "error";
      readonly fields: object;
      readonly message: string;
    };

/** An error as data: classes do not cross between threads. */
export interface PortableError {
  readonly name: string;
  readonly message: string;
  readonly code: FailureCode | undefined;
  readonly stack: string | undefined;
}

/** An error on its way to another thread. */
export function portable(error: unknown): PortableError {
  const { name, message } = describeError(error);
  const stack = error instanceof Error && typeof error.stack === "string" ? error.stack : undefined;
  return { name, message, code: isFailure(error) ? error.code : undefined, stack };
}

/** An error that came from another thread, with the stack it had there. */
export function revived({ name, message, code, stack }: PortableError): Error {
  const known = code !== undefined && Object.hasOwn(failureCodes, code);
  const error = known ? new Failure(code, message) : Object.assign(new Error(message), { name });
  if (stack !== undefined) error.stack = stack;
  return error;
}
