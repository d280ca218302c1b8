import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { MillraceApp } from "../main/millrace.js";
import { type TrialOptions, trialApp } from "../main/trial-app.js";
import { silentLogger } from "../runtime/logger.js";
import { running } from "./command-routes.js";

// Requests as no client library sends them, over a plain socket.

let dir: string;
let app: MillraceApp;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "millrace-unmannered-"));
});
afterEach(async () => {
  await app.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function started(options: Partial<TrialOptions> = {}): Promise<void> {
  app = trialApp({ dir, ...options });
  await app.start();
}

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Sends the lines, and answers with what came back until the server closed. */
function exchange(lines: readonly string[], body = ""): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(app.url as string).port), "127.0.0.1");
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.once("error", reject);
    socket.once("close", () => {
      const [head = "", shown = ""] = text.split("\r\n\r\n");
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]);
      resolve({ status, head: head.toLowerCase(), body: shown.startsWith("{") ? JSON.parse(shown) : {} });
    });
    socket.write([...lines, "Host: localhost", "Connection: close", "", body].join("\r\n"));
  });
}

const order = '{"orderId":"o-1","pence":1}';
const json = (body: string) => ["Content-Type: application/json", `Content-Length: ${body.length}`];

async function eventsStored(): Promise<number> {
  const topics = await app[running]?.engine.inspect.topics();
  return (topics ?? []).reduce((sum, topic) => sum + topic.records, 0);
}

describe("a path that is there, with a method that it does not take", () => {
  it.each([
    ["GET /orders", "post"],
    ["HEAD /orders", "post"],
    ["OPTIONS /orders", "post"],
    ["DELETE /orders/o-1", "put"],
    ["POST /operations/x", "get"],
    ["PUT /health/live", "get"],
    ["GET /both", "post, patch"],
  ])("is 405 for %s and lists the others", async (asked, allowed) => {
    const mount = (hono: Hono): void => {
      hono.post("/both", (c) => c.text("posted"));
      hono.patch("/both", (c) => c.text("patched"));
    };
    await started({ http: { mount } });
    const answer = await exchange([`${asked} HTTP/1.1`, "Content-Length: 0"]);
    expect(answer).toMatchObject({ status: 405, head: expect.stringContaining(`\nallow: ${allowed}\r`) });
    if (!asked.startsWith("HEAD")) expect(answer.body).toMatchObject({ code: "METHOD_REFUSED" });
  });

  it("is 404 when a route of this method says that there is nothing, or none knows the path", async () => {
    await started({ http: { mount: (hono) => void hono.get("/items/:id", (c) => c.notFound()) } });
    for (const path of ["/items/1", "/elsewhere"])
      expect(await exchange([`GET ${path} HTTP/1.1`])).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
  });
});

describe("a path that is not well encoded", () => {
  it.each(["GET /operations/%E0%A4%A", "GET /operations/%", "PUT /orders/%FF", "GET /%zz"])(
    "is 400: %s",
    async (asked) => {
      await started();
      const answer = await exchange([`${asked} HTTP/1.1`, ...json(order)], order);
      expect(answer).toMatchObject({ status: 400, body: { code: "REQUEST_INVALID", status: 400 } });
      expect(await eventsStored()).toBe(0);
    },
  );
});

describe("two idempotency keys", () => {
  it("are refused", async () => {
    await started();
    const keys = ["Idempotency-Key: a", "idempotency-key: b"];
    const answer = await exchange(["POST /orders HTTP/1.1", ...keys, ...json(order)], order);
    expect(answer).toMatchObject({ status: 400, body: { code: "REQUEST_INVALID" } });
    expect(await eventsStored()).toBe(0);
  });
});

describe("a page of the server's own host", () => {
  it.each<[string, NonNullable<TrialOptions["http"]>, number]>([
    ["http", {}, 200],
    ["https", {}, 403],
    ["https", { behindProxy: true }, 200],
    ["http", { behindProxy: true }, 200],
    ["https", { allowedOrigins: ["https://localhost"] }, 200],
  ])("with an origin of %s and %j is answered %d", async (scheme, http, status) => {
    await started({ http });
    const answer = await exchange(["GET /openapi.json HTTP/1.1", `Origin: ${scheme}://localhost`]);
    expect(answer.status).toBe(status);
    if (status === 403) expect(answer.body).toMatchObject({ detail: expect.stringContaining("behindProxy") });
  });
});

describe("a body that ends before its length", () => {
  it.each([
    ["by a length", ["Content-Length: 100"], order],
    ["in chunks", ["Transfer-Encoding: chunked"], `${order.length.toString(16)}\r\n${order}\r\n`],
  ])("runs no command and reports nothing, told %s", async (_, told, body) => {
    const error = vi.fn();
    const uncaught = vi.fn();
    process.on("uncaughtExceptionMonitor", uncaught);
    await started({ logger: { ...silentLogger, error, warn: error } });
    const lines = ["POST /orders HTTP/1.1", "Host: localhost", "Content-Type: application/json", ...told, "", body];
    for (const end of ["end", "resetAndDestroy"] as const) {
      await new Promise<void>((resolve) => {
        const socket = connect(Number(new URL(app.url as string).port), "127.0.0.1", () => {
          socket.write(lines.join("\r\n"), () => socket[end]());
        });
        socket.resume();
        socket.once("error", () => {});
        socket.once("close", () => resolve());
      });
    }
    // The server has seen the ends of both before it answers this one.
    expect(await exchange(["GET /health/live HTTP/1.1"])).toMatchObject({ status: 200 });
    await app.settled();
    expect(await eventsStored()).toBe(0);
    expect(error).not.toHaveBeenCalled();
    expect(uncaught).not.toHaveBeenCalled();
    process.off("uncaughtExceptionMonitor", uncaught);
  });
});
