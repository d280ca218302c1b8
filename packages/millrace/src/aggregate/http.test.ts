import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { account } from "../app/trial-accounts.js";
import type { MillraceApp } from "../main/millrace.js";
import { trialApp } from "../main/trial-app.js";
import { tempFolder } from "../testing/trial.js";

let app: MillraceApp;
beforeEach(async () => {
  app = trialApp({ dir: tempFolder(), withBank: true, admin: false });
  await app.start();
  expect((await ask("PUT", "/accounts/a-1", { owner: "ann" })).status).toBe(202);
});
afterEach(() => app.stop());

async function ask(method: string, path: string, body: object, headers: Record<string, string> = {}) {
  const response = await fetch(`${app.url}${path}`, {
    method,
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
}

const pay = (pence: number, headers?: Record<string, string>) =>
  ask("POST", "/accounts/a-1/payments-in", { pence, note: "" }, headers);

describe("fifty requests at once to one aggregate", () => {
  it("are fifty events, each decided on the one before", async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => pay(n + 1)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(await app.aggregate(account).get("a-1")).toMatchObject({ version: 51, state: { pence: (50 * 51) / 2 } });
  });

  it("that are one request are one event, with equal answers", async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => pay(5, { "idempotency-key": "k" })));
    expect(new Set(answers.map(({ status, answer }) => `${status} ${answer.operation}`)).size).toBe(1);
    expect(await app.aggregate(account).get("a-1")).toMatchObject({ version: 2, state: { pence: 5 } });
  });

  it("never take out more than there is", async () => {
    await pay(10);
    const out = () => ask("POST", "/accounts/a-1/payments-out", { pence: 3, note: "" });
    const answers = await Promise.all(Array.from({ length: 50 }, out));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(3);
    const refused = answers.filter(({ status }) => status === 409);
    expect(refused).toHaveLength(47);
    expect(refused[0]?.answer).toMatchObject({ code: "COMMAND_REFUSED", refused: "NOT_ENOUGH" });
    expect(await app.aggregate(account).get("a-1")).toMatchObject({ state: { pence: 1 } });
  });
});
