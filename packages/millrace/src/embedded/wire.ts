import type { Socket } from "node:net";
import { deserialize, serialize } from "node:v8";
import type { MessagePort } from "node:worker_threads";
import { type FailureCode, failureCodes } from "../failure/codes.js";
import { Failure, isFailure } from "../failure/failure.js";

/** The version of the messages: two programs with different ones do not share a file. */
export const wireVersion = 2;

/** What a process that takes part says to the owner. */
export type ToOwner =
  | {
      readonly type: "hello";
      readonly wire: number;
      /** The format of the file that it reads. */
      readonly format: number;
      readonly member: string;
      readonly pid: number;
    }
  | { readonly type: "call"; readonly call: number; readonly name: string; readonly args: readonly unknown[] }
  /** The main loop of the process still turns. */
  | { readonly type: "alive" }
  | { readonly type: "bye" };

/** What the owner says. */
export type FromOwner =
  | { readonly type: "welcome" }
  | { readonly type: "refused"; readonly failure: FailureText }
  | { readonly type: "answer"; readonly call: number; readonly value: unknown }
  | { readonly type: "failure"; readonly call: number; readonly failure: FailureText }
  | { readonly type: "bell"; readonly bell: unknown };

/** A failure as data. Its cause stays where it happened, and in that process's log. */
export interface FailureText {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** A failure made ready to cross. What is no failure of ours is a fault of the owner: the call may be sent again. */
export function failureText(error: unknown): FailureText {
  if (isFailure(error)) return { code: error.code, message: error.message, details: error.details };
  return { code: "STORE_UNAVAILABLE", message: `the owner of the file failed: ${String(error)}`, details: {} };
}

/** The inverse of {@link failureText}. */
export function failureOf({ code, message, details }: FailureText): Failure {
  return new Failure(code in failureCodes ? (code as FailureCode) : "STORE_UNAVAILABLE", message, { details });
}

/** One end of a connection that carries messages whole and in order. */
export interface Wire<Out, In> {
  send(message: Out): void;
  /** Calls `heard` with each message, and `ended` once when no more come. */
  listen(heard: (message: In) => void, ended: () => void): void;
  close(): void;
}

// Grammar of the stream: *( length message ), length = 4 bytes, big endian; message = what v8.serialize makes.
const headBytes = 4;
const messageBytesMax = 256 * 1024 * 1024;

/** Messages over a socket. A peer that breaks the grammar is cut off. */
export function socketWire<Out, In>(socket: Socket): Wire<Out, In> {
  return {
    send(message) {
      const body = serialize(message);
      const head = Buffer.allocUnsafe(headBytes);
      head.writeUInt32BE(body.length);
      socket.cork();
      socket.write(head);
      socket.write(body);
      socket.uncork();
    },
    listen(heard, ended) {
      let chunks: Buffer[] = [];
      let bytes = 0;
      let wanted = headBytes;
      let inHead = true;
      const take = (): Buffer => {
        const all = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
        chunks = all.length > wanted ? [all.subarray(wanted)] : [];
        bytes = all.length - wanted;
        return all.subarray(0, wanted);
      };
      socket.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        try {
          while (bytes >= wanted && !socket.destroyed) {
            const part = take();
            if (inHead) wanted = part.readUInt32BE();
            else {
              wanted = headBytes;
              heard(deserialize(part) as In);
            }
            inHead = !inHead;
            if (wanted > messageBytesMax) throw new Error(`a message of ${wanted} bytes`);
          }
        } catch (error) {
          socket.destroy(error instanceof Error ? error : undefined);
        }
      });
      socket.on("error", () => socket.destroy());
      socket.once("close", ended);
    },
    close: () => void socket.end(),
  };
}

/** Messages between two threads. */
export function portWire<Out, In>(port: MessagePort): Wire<Out, In> {
  return {
    send: (message) => port.postMessage(message),
    listen(heard, ended) {
      port.on("message", heard);
      port.once("close", ended);
    },
    close: () => port.close(),
  };
}
