import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { isFailure } from "../failure/failure.js";
import type { MillraceApp } from "../main/millrace.js";
import { price, type TrialOptions, trialApp } from "../main/trial-app.js";
import { running } from "./command-routes.js";

let dir: string;
let app: MillraceApp;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "millrace-http-"));
});
afterEach(async () => {
  await app?.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function started(options: Partial<TrialOptions> = {}): Promise<string> {
  app = trialApp({ dir, ...options });
  await app.start();
  return app.url as string;
}

const json = { "content-type": "application/json" };

function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { ...json, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** What most answers hold. */
interface Answer {
  readonly operation: string;
  readonly state: string;
  readonly detail: string;
}
async function answerOf(response: Response): Promise<Answer> {
  return (await response.json()) as Answer;
}

/** With headers that fetch does not let one set. */
function raw(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode as number);
    });
    asked.once("error", reject);
    asked.end();
  });
}

async function eventsStored(): Promise<number> {
  const topics = await app[running]?.engine.inspect.topics();
  return (topics ?? []).reduce((sum, topic) => sum + topic.records, 0);
}

describe("a route that sends a command", () => {
  it("answers 202 with the operation's address when the owner has committed", async () => {
    const url = await started();
    const response = await post(`${url}/orders`, { orderId: "o-1", pence: 100 });
    expect(response.status).toBe(202);
    const answer = await answerOf(response);
    expect(answer).toMatchObject({ state: "committed", correlationId: answer.operation });
    expect(response.headers.get("location")).toBe(`/operations/${answer.operation}`);
  });

  it("shows the operation as settled when nothing of its flow is left to do, and not before", async () => {
    let open = (): void => {};
    const paymentGate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const url = await started({ paymentGate });
    const response = await post(`${url}/orders`, { orderId: "o-1", pence: 100 });
    const address = new URL(response.headers.get("location") as string, url);
    expect(await (await fetch(address)).json()).toMatchObject({ state: "committed" });
    open();
    await vi.waitFor(async () => {
      expect(await (await fetch(address)).json()).toMatchObject({ state: "settled", command: "place-order" });
    }, 15_000);
  });

  it("shows the operation as failed, and names the consumer, when something that followed is dead", async () => {
    const url = await started();
    const response = await post(`${url}/orders`, { orderId: "o-1", pence: price.dead });
    expect(response.status).toBe(202);
    const address = new URL(response.headers.get("location") as string, url);
    await vi.waitFor(async () => {
      const shown = await (await fetch(address)).json();
      expect(shown).toMatchObject({ state: "failed", dead: [{ consumer: "payments", type: "order.placed" }] });
    }, 15_000);
  });

  it("answers 409 with the owner's reason when the command is refused, and publishes nothing", async () => {
    const url = await started();
    const response = await post(`${url}/orders`, { orderId: "o-1", pence: price.refused });
    expect(response.status).toBe(409);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const problem = await answerOf(response);
    expect(problem).toMatchObject({
      code: "COMMAND_REFUSED",
      refused: "UNLUCKY",
      status: 409,
      type: "urn:millrace:errors#command_refused",
    });
    expect(problem.detail).toContain("thirteen is not sold here");
    expect(await (await fetch(new URL(response.headers.get("location") as string, url))).json()).toMatchObject({
      state: "refused",
    });
    expect(await eventsStored()).toBe(1);
  });

  it("answers 422 when the owner refuses the data", async () => {
    const url = await started();
    const response = await post(`${url}/orders`, { orderId: "o-1", pence: price.unfit });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ code: "CONTRACT_REJECTED" });
  });

  it("answers 422 with the path when the data does not fit the contract, and stores nothing", async () => {
    const url = await started();
    const response = await post(`${url}/orders`, { orderId: "o-1", pence: "many" });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ code: "CONTRACT_REJECTED", path: "/pence", status: 422 });
    expect(await eventsStored()).toBe(0);
  });

  it("answers 500 without particulars when the command dies, and says which operation", async () => {
    const url = await started();
    const response = await fetch(`${url}/orders/o-1/ratings?stars=0`, { method: "POST" });
    expect(response.status).toBe(500);
    const problem = await answerOf(response);
    expect(problem).toMatchObject({ code: "COMMAND_FAILED", operation: expect.any(String) });
    expect(JSON.stringify(problem)).not.toContain("no stars");
  });

  it("answers 202 accepted when the owner takes longer than the wait", async () => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const url = await started({ gate: () => gate, http: { wait: "20ms" } });
    const response = await post(`${url}/orders`, { orderId: "o-1", pence: 100 });
    expect(response.status).toBe(202);
    const answer = await answerOf(response);
    expect(answer.state).toBe("accepted");
    open();
    await vi.waitFor(async () => {
      expect(await (await fetch(`${url}/operations/${answer.operation}`)).json()).toMatchObject({ state: "settled" });
    }, 15_000);
  });

  it("takes the path's parameters into the data, and refuses a body that says something else", async () => {
    const url = await started();
    const put = (body: unknown) =>
      fetch(`${url}/orders/o%2F7`, { method: "PUT", headers: json, body: JSON.stringify(body) });
    expect((await put({ pence: 100 })).status).toBe(202);
    await app.settled();
    const found = await app[running]?.engine.inspect.events({ type: "payment.taken", limit: 10 });
    expect(found?.events.map((event) => event.key)).toEqual(["o/7"]);
    const refused = await put({ orderId: "o-8", pence: 100 });
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ path: "/orderId" });
  });

  it("answers 404 to an operation and to a path that do not exist", async () => {
    const url = await started();
    for (const path of ["/operations/nope", "/nowhere"]) {
      const response = await fetch(`${url}${path}`);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ code: "NOT_FOUND" });
    }
  });

  it("never shows what failed inside", async () => {
    const url = await started({
      http: {
        mount: (hono) => {
          hono.get("/broken", () => {
            throw new Error("secret at /etc/passwd");
          });
        },
      },
    });
    const response = await fetch(`${url}/broken`);
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(text).not.toMatch(/secret|passwd|\.ts|\.js|at /);
    expect(JSON.parse(text)).toMatchObject({
      type: "about:blank",
      status: 500,
      instance: expect.stringMatching(/^urn:uuid:/),
    });
  });
});

describe("limits before parsing", () => {
  const oneMebibyte = 1_048_576;

  /** JSON of exactly this many bytes. */
  function bodyOf(bytes: number): string {
    const empty = '{"orderId":"o-1","pence":100,"notes":[""]}'.length;
    const chunk = 100_000;
    let notes = "";
    let left = bytes - empty;
    while (left > chunk) {
      notes += `"${"n".repeat(chunk - 3)}",`;
      left -= chunk;
    }
    return `{"orderId":"o-1","pence":100,"notes":[${notes}"${"n".repeat(left)}"]}`;
  }

  it("takes a body of one mebibyte, and refuses one byte more by its declared length", async () => {
    const url = await started();
    expect(Buffer.byteLength(bodyOf(oneMebibyte))).toBe(oneMebibyte);
    expect((await post(`${url}/orders`, bodyOf(oneMebibyte))).status).toBe(202);
    const refused = await post(`${url}/orders`, bodyOf(oneMebibyte + 1));
    expect(refused.status).toBe(413);
    expect(await refused.json()).toMatchObject({ code: "PAYLOAD_LIMIT" });
  });

  it("refuses a body without a declared length as soon as it is too long, and closes the connection", async () => {
    const url = await started();
    const status = await new Promise<[number | undefined, string | undefined]>((resolve, reject) => {
      const asked = request(`${url}/orders`, { method: "POST", headers: json, agent: false }, (response) => {
        response.resume();
        resolve([response.statusCode, response.headers.connection]);
        asked.destroy();
      });
      asked.once("error", reject);
      // Never ended: only the limit can bring an answer.
      asked.write(Buffer.alloc(oneMebibyte, " "));
      asked.write(" ");
    });
    expect(status).toEqual([413, "close"]);
    expect(await eventsStored()).toBe(0);
  });

  it.each([
    ["deeper than 64 levels", `{"orderId":${"[".repeat(65)}${"]".repeat(65)}}`, 422, "PAYLOAD_LIMIT"],
    [
      "a key that changes the prototype",
      '{"orderId":"o-1","pence":1,"__proto__":{"admin":true}}',
      422,
      "PAYLOAD_LIMIT",
    ],
    ["constructor.prototype", '{"orderId":"o-1","pence":1,"constructor":{"prototype":{}}}', 422, "PAYLOAD_LIMIT"],
    ["NUL in a string", '{"orderId":"o\\u0000","pence":1}', 422, "PAYLOAD_LIMIT"],
    ["a string over 128 KiB", JSON.stringify({ orderId: "o".repeat(131_073), pence: 1 }), 422, "PAYLOAD_LIMIT"],
    [
      "more than 10,000 keys",
      JSON.stringify(Object.fromEntries(Array.from({ length: 10_001 }, (_, n) => [`k${n}`, n]))),
      422,
      "PAYLOAD_LIMIT",
    ],
    ["no JSON", '{"orderId":', 400, "RECORD_UNDECODABLE"],
    ["nothing", "", 422, "CONTRACT_REJECTED"],
    ["JSON that is no object", "[1]", 422, "CONTRACT_REJECTED"],
  ])("refuses %s", async (_, body, status, code) => {
    const url = await started();
    const response = await post(`${url}/orders`, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code });
    expect(await eventsStored()).toBe(0);
  });

  it("refuses bytes that are not UTF-8", async () => {
    const url = await started();
    const response = await fetch(`${url}/orders`, {
      method: "POST",
      headers: json,
      body: new Uint8Array([0x22, 0xff, 0x22]),
    });
    expect(response.status).toBe(400);
  });

  it.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/jsonp",
    "application/json; charset=latin1",
    "",
  ])("refuses the content type %j", async (type) => {
    const url = await started();
    const body = new Blob(['{"orderId":"o-1","pence":1}']);
    const response = await fetch(`${url}/orders`, {
      method: "POST",
      body,
      headers: type === "" ? {} : { "content-type": type },
    });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ code: "MEDIA_TYPE_REFUSED" });
  });

  it.each(["application/json", "application/json; charset=UTF-8", "application/vnd.shop.v1+json"])(
    "takes the content type %j",
    async (type) => {
      const url = await started();
      expect((await post(`${url}/orders`, { orderId: "o-1", pence: 1 }, { "content-type": type })).status).toBe(202);
    },
  );
});

describe("who may ask", () => {
  it("answers only for the names of this machine", async () => {
    const url = await started();
    const port = new URL(url).port;
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, "localhost", `[::1]:${port}`]) {
      expect(await raw(`${url}/health/live`, { host })).toBe(200);
    }
    for (const host of [
      "evil.example",
      `evil.example:${port}`,
      "127.0.0.1.evil.example",
      "localhost.evil.example",
      "10.0.0.1",
    ]) {
      expect(await raw(`${url}/health/live`, { host })).toBe(421);
    }
  });

  it("answers for the names that are allowed", async () => {
    const url = await started({ http: { allowedHosts: ["shop.example"] } });
    expect(await raw(`${url}/health/live`, { host: "SHOP.example:443" })).toBe(200);
    expect(await raw(`${url}/health/live`, { host: "localhost" })).toBe(421);
  });

  it("refuses pages of other origins, and lets in its own and those that are allowed", async () => {
    const url = await started({ http: { allowedOrigins: ["https://shop.example"] } });
    const ask = (origin: string) => post(`${url}/orders`, { orderId: "o-1", pence: 1 }, { origin });
    for (const origin of ["https://evil.example", "null", "https://shop.example.evil.example", "http://localhost:1"]) {
      const refused = await ask(origin);
      expect(refused.status).toBe(403);
      expect(await refused.json()).toMatchObject({ code: "ORIGIN_REFUSED" });
    }
    expect((await ask(url)).status).toBe(202);
    const allowed = await ask("https://shop.example");
    expect(allowed.status).toBe(202);
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://shop.example");
    expect(await eventsStored()).toBeGreaterThan(0);
    const preflight = await fetch(`${url}/orders`, {
      method: "OPTIONS",
      headers: { origin: "https://shop.example", "access-control-request-method": "POST" },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-headers")).toContain("Idempotency-Key");
  });
});

describe("Idempotency-Key", () => {
  it("makes one operation of fifty requests at once, with equal answers", async () => {
    const url = await started();
    const ask = () => post(`${url}/orders`, { orderId: "o-1", pence: 100 }, { "idempotency-key": "k-1" });
    const responses = await Promise.all(Array.from({ length: 50 }, ask));
    expect(new Set(responses.map((response) => response.status))).toEqual(new Set([202]));
    const answers = await Promise.all(responses.map((response) => response.text()));
    expect(new Set(answers).size).toBe(1);
    await app.settled();
    const sent = await app[running]?.engine.inspect.events({ type: "place-order", limit: 100 });
    const placed = await app[running]?.engine.inspect.events({ type: "order.placed", limit: 100 });
    expect([sent?.events.length, placed?.events.length]).toEqual([1, 1]);
  });

  it("refuses the key with another body", async () => {
    const url = await started();
    await post(`${url}/orders`, { orderId: "o-1", pence: 100 }, { "idempotency-key": "k-1" });
    const response = await post(`${url}/orders`, { orderId: "o-1", pence: 101 }, { "idempotency-key": "k-1" });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
  });

  it("is a key of its route: on another it stands for another request", async () => {
    const url = await started();
    const key = { "idempotency-key": "k-1" };
    const first = await answerOf(await post(`${url}/orders`, { orderId: "o-1", pence: 100 }, key));
    const put = await fetch(`${url}/orders/o-1`, {
      method: "PUT",
      headers: { ...json, ...key },
      body: '{"pence":100}',
    });
    const second = await answerOf(put);
    expect(second.operation).not.toBe(first.operation);
  });

  it("answers a refused command in the same way again", async () => {
    const url = await started();
    const ask = () => post(`${url}/orders`, { orderId: "o-1", pence: price.refused }, { "idempotency-key": "k-1" });
    const [first, second] = [await ask(), await ask()];
    expect([first.status, second.status]).toEqual([409, 409]);
    expect((await answerOf(first)).operation).toBe((await answerOf(second)).operation);
  });

  it.each([
    ["empty", ""],
    ["too long", "k".repeat(256)],
    ["with a letter beyond ASCII", "k\u00e9"],
  ])("refuses one that is %s", async (_, key) => {
    const url = await started();
    const response = await post(`${url}/orders`, { orderId: "o-1", pence: 1 }, { "idempotency-key": key });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "REQUEST_INVALID" });
  });
});

describe("starting and stopping", () => {
  it.each([
    ["an address that others can reach, without a proxy", { host: "0.0.0.0" }, /http\.host is 0\.0\.0\.0.*behindProxy/],
    ["a port that is none", { port: 70_000 }, /http\.port is 70000/],
    [
      "a route that is none",
      { routes: { "FETCH /orders": () => {} } as never },
      /"FETCH \/orders" is not a method and a path/,
    ],
    ["an origin that is none", { allowedOrigins: ["shop.example"] }, /http\.allowedOrigins has "shop\.example"/],
    ["a wait that is none", { wait: "soon" as never }, /http\.wait/],
  ])("refuses %s, naming the option and the fix", (_, http, message) => {
    const make = (): unknown => trialApp({ dir, http });
    expect(make).toThrow(message);
    expect(make).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  it("listens on any address behind a proxy, and then answers for any host", async () => {
    const url = await started({ http: { host: "0.0.0.0", behindProxy: true } });
    expect(await raw(`http://127.0.0.1:${new URL(url).port}/health/live`, { host: "shop.example" })).toBe(200);
  });

  it("says which option to change when the port is taken", async () => {
    const url = await started();
    const other = trialApp({ dir: mkdtempSync(join(dir, "other-")), http: { port: Number(new URL(url).port) } });
    const failure = await other.start().catch((error: unknown) => error);
    expect(isFailure(failure, "OPTION_INVALID") && failure.details.option).toBe("http.port");
  });

  it("takes its options before the start, once", async () => {
    await started();
    expect(() => app.http({})).toThrow(expect.objectContaining({ code: "CONFLICT" }));
    expect(() => trialApp({ dir }).http({})).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  it("finishes requests in flight when the app stops, and takes no new ones", async () => {
    let open = (): void => {};
    let entered = (): void => {};
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const url = await started({
      gate: () => {
        entered();
        return gate;
      },
    });
    const answer = post(`${url}/orders`, { orderId: "o-1", pence: 100 });
    await inside;
    const stopped = app.stop();
    await vi.waitFor(() => expect(raw(`${url}/health/live`, {})).rejects.toThrow("ECONNREFUSED"), 15_000);
    open();
    const response = await answer;
    expect(response.status).toBe(202);
    expect(response.headers.get("connection")).toBe("close");
    expect(await response.json()).toMatchObject({ state: "committed" });
    await stopped;
    expect(app.url).toBeUndefined();
  });
});
