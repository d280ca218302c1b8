import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import { limits, parseJson } from "../contract/limits.js";
import { Failure } from "../failure/failure.js";

/**
 * The JSON of a request's body, or undefined when it has none. What is too large is refused before it is read, as far
 * as the request says so itself, else as soon as it is.
 *
 * @param where the route, for messages: `POST /orders`
 * @throws {Failure} PAYLOAD_LIMIT, MEDIA_TYPE_REFUSED, RECORD_UNDECODABLE, REQUEST_INVALID when it breaks off.
 */
export async function readJson(c: Context, where: string): Promise<unknown> {
  const length = Number(c.req.header("content-length") ?? Number.NaN);
  if (length > limits.bytesMax) throw tooLarge(where);
  const chunks = chunksOf(c);
  if (chunks === undefined || length === 0) return undefined;
  checkMediaType(c.req.header("content-type"), where);
  const bytes = await readBytes(chunks, where);
  return bytes.byteLength === 0 ? undefined : parseJson(bytes, `body of ${where}`);
}

/** On Node's own server the body is read from its stream: a web stream around it costs more than the rest of a request. */
function chunksOf(c: Context): AsyncIterable<Uint8Array> | undefined {
  const incoming = (c.env as Partial<HttpBindings> | undefined)?.incoming;
  if (incoming === undefined) return c.req.raw.body ?? undefined;
  const { headers } = incoming;
  return headers["content-length"] === undefined && headers["transfer-encoding"] === undefined ? undefined : incoming;
}

function checkMediaType(header: string | undefined, where: string): void {
  const [type = "", ...parameters] = (header ?? "").split(";").map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith("charset="))?.slice("charset=".length);
  const json = type === "application/json" || /^application\/[\w.-]+\+json$/.test(type);
  if (json && (charset === undefined || charset.replaceAll('"', "") === "utf-8")) return;
  throw new Failure(
    "MEDIA_TYPE_REFUSED",
    `${where} takes application/json in UTF-8; send the header Content-Type: application/json`,
  );
}

async function readBytes(chunks: AsyncIterable<Uint8Array>, where: string): Promise<Uint8Array> {
  const read: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      bytes += chunk.byteLength;
      if (bytes > limits.bytesMax) throw tooLarge(where);
      read.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure("REQUEST_INVALID", `body of ${where}: it broke off; send it again`, { cause });
  }
  return read.length === 1 ? (read[0] as Uint8Array) : Buffer.concat(read);
}

function tooLarge(where: string): Failure {
  return new Failure(
    "PAYLOAD_LIMIT",
    `body of ${where}: is larger than ${limits.bytesMax} bytes; store large content elsewhere and carry a reference`,
    { details: { bytesMax: limits.bytesMax } },
  );
}
