import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MillraceApp } from "../main/millrace.js";
import { trialApp } from "../main/trial-app.js";
import { type AdminAddress, readAddress, writeAddress } from "./address.js";
import type { Admin } from "./admin.js";
import { calls } from "./calls.js";
import { remoteAdmin } from "./client.js";

let dir: string;
let app: MillraceApp;
let address: AdminAddress;
let admin: Admin;
beforeEach(async () => {
  dir = join(mkdtempSync(join(tmpdir(), "millrace-admin-")), "data");
  app = trialApp({ dir });
  await app.start();
  address = (await readAddress(dir)) as AdminAddress;
  admin = remoteAdmin(address, { timeoutMs: 10_000 });
});
afterEach(async () => {
  await app.stop();
  rmSync(join(dir, ".."), { recursive: true, force: true });
});

function ask(
  call: string,
  headers: Record<string, string>,
  body = "{}",
): Promise<{ status: number; code: string | undefined }> {
  return new Promise((resolve, reject) => {
    const asked = request(`${address.url}${call}`, { method: "POST", headers, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode as number, code: text === "" ? undefined : JSON.parse(text)?.code }),
      );
    });
    asked.once("error", reject);
    asked.end(body);
  });
}

const json = { "content-type": "application/json" };
const bearer = (token: string) => ({ ...json, authorization: `Bearer ${token}` });

describe("the address", () => {
  it("is for this user's eyes only, and is gone when the app has stopped", async () => {
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(statSync(join(dir, "admin.json")).mode & 0o777).toBe(0o600);
    expect(address).toMatchObject({ pid: process.pid, url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) });
    expect(Buffer.from(address.token, "base64url").byteLength).toBe(32);
    await app.stop();
    expect(readdirSync(dir).filter((name) => name.startsWith("admin.json"))).toEqual([]);
  });

  it("of a newer process is left alone", async () => {
    const newer = { ...address, instance: "another" };
    await writeAddress(dir, newer);
    await app.stop();
    expect(await readAddress(dir)).toEqual(newer);
  });
});

describe("every call", () => {
  const paths = [...Object.keys(calls).map((call) => `/v1/${call}`), "/", "/v1", "/v1/nothing", "/v2/status"];

  it.each(paths)("%s asks for the token before anything else", async (path) => {
    const wrong = [
      json,
      bearer(""),
      bearer("wrong"),
      bearer(`${address.token}x`),
      bearer(address.token.slice(0, -1)),
      { ...json, authorization: address.token },
    ];
    for (const headers of wrong) expect(await ask(path, headers)).toEqual({ status: 401, code: "UNAUTHORISED" });
    const known = path.startsWith("/v1/") && Object.hasOwn(calls, path.slice("/v1/".length));
    const right = await ask(path, bearer(address.token), '{"unknown":1}');
    expect(right).toEqual(known ? { status: 400, code: "REQUEST_INVALID" } : { status: 404, code: "NOT_FOUND" });
  });

  it("refuses foreign hosts and pages of any other origin, also with the token", async () => {
    expect(await ask("/v1/status", { ...bearer(address.token), host: "evil.example" })).toEqual({
      status: 421,
      code: "HOST_REFUSED",
    });
    expect(await ask("/v1/status", { ...bearer(address.token), origin: "https://evil.example" })).toEqual({
      status: 403,
      code: "ORIGIN_REFUSED",
    });
    expect((await ask("/v1/status", bearer(address.token))).status).toBe(200);
  });

  it("refuses arguments that do not fit, and bodies that are not JSON", async () => {
    expect(await ask("/v1/search", bearer(address.token), '{"limit":"all"}')).toEqual({
      status: 400,
      code: "REQUEST_INVALID",
    });
    expect(await ask("/v1/search", bearer(address.token), "{")).toEqual({ status: 400, code: "RECORD_UNDECODABLE" });
    expect(await ask("/v1/search", { ...bearer(address.token), "content-type": "text/plain" })).toEqual({
      status: 415,
      code: "MEDIA_TYPE_REFUSED",
    });
    expect(await ask("/v1/__proto__", bearer(address.token))).toEqual({ status: 404, code: "NOT_FOUND" });
    expect(await ask("/v1/constructor", bearer(address.token))).toEqual({ status: 404, code: "NOT_FOUND" });
  });
});

describe("the client", () => {
  it("raises what was raised in the process", async () => {
    await expect(admin.event({ id: "nope" })).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: "there is no event nope",
    });
    await expect(remoteAdmin({ ...address, token: "wrong" }, { timeoutMs: 10_000 }).status()).rejects.toMatchObject({
      code: "UNAUTHORISED",
    });
  });

  it("takes an address for stale when nobody answers there, or another process does", async () => {
    const other = remoteAdmin({ ...address, instance: "another" }, { timeoutMs: 10_000 });
    await expect(other.status()).rejects.toMatchObject({ code: "PROCESS_MISSING" });
    await app.stop();
    await expect(admin.status()).rejects.toMatchObject({ code: "PROCESS_MISSING" });
  });

  it("tells who runs", async () => {
    expect(await admin.status()).toMatchObject({
      from: "process",
      pid: process.pid,
      dir,
      consumers: { ok: 3 },
      dead: 0,
    });
  });
});
