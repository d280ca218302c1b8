import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Failure, isFailure } from "../failure/failure.js";
import { silentLogger } from "../runtime/logger.js";
import { seededRandom } from "../runtime/random.js";
import { service } from "../service/declare.js";
import { passWhile } from "../testing/passing-time.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { engineFromEnv } from "./engine-from-env.js";
import { millrace } from "./millrace.js";
import { kafkaAddress, postgresAddress } from "./server-address.js";

const dir = mkdtempSync(join(tmpdir(), "millrace-env-"));
afterAll(() => rmSync(dir, { recursive: true }));

const store = "postgres://ann:secret@db:5433/shop";
const log = "kafka://one:9092,two";

function refusal(env: Record<string, string>): Failure {
  try {
    engineFromEnv(env);
  } catch (error) {
    if (isFailure(error, "OPTION_INVALID")) return error;
  }
  throw new Error(`accepted ${JSON.stringify(env)}`);
}

describe("the engine from the environment", () => {
  it("is the embedded one when nothing is set, in the folder that is named", () => {
    expect(engineFromEnv({})).toMatchObject({ name: "embedded", dir: resolve("./.millrace") });
    expect(engineFromEnv({ MILLRACE_DIR: dir, MILLRACE_LOG: " " })).toMatchObject({ name: "embedded", dir });
  });

  it("is PostgreSQL alone, or Kafka with PostgreSQL, and has a folder for the process's address all the same", () => {
    expect(engineFromEnv({ MILLRACE_STORE: store })).toMatchObject({ name: "postgres", dir: resolve("./.millrace") });
    expect(engineFromEnv({ MILLRACE_STORE: store, MILLRACE_LOG: store }).name).toBe("postgres");
    const both = engineFromEnv({ MILLRACE_STORE: store, MILLRACE_LOG: log, MILLRACE_DIR: dir });
    expect(both).toMatchObject({ name: "kafka+postgres", dir });
  });

  it("is refused when it is half set or cannot be read, without repeating a password", () => {
    expect(refusal({ MILLRACE_LOG: log }).message).toContain("MILLRACE_STORE is missing");
    const wrong = [
      { MILLRACE_STORE: "mysql://ann:secret@db/shop" },
      { MILLRACE_STORE: "postgres://ann:secret@db" },
      { MILLRACE_STORE: "postgres://ann:sec#ret@secret@db:x/shop" },
      { MILLRACE_STORE: `${store}?pool=many` },
      { MILLRACE_STORE: `${store}?pool=2` },
      { MILLRACE_STORE: store, MILLRACE_LOG: "redis://ann:secret@cache" },
      { MILLRACE_STORE: store, MILLRACE_LOG: "kafka://" },
      { MILLRACE_STORE: store, MILLRACE_LOG: "kafka://ann:secret@one:9092,bad host" },
      { MILLRACE_STORE: store, MILLRACE_LOG: `${log}?tsl=true` },
      { MILLRACE_STORE: store, MILLRACE_LOG: `${log}?tls=yes` },
      { MILLRACE_STORE: store, MILLRACE_LOG: `${log}?sasl=plain` },
      { MILLRACE_STORE: store, MILLRACE_LOG: `kafka://ann:secret@one?sasl=md5` },
      { MILLRACE_STORE: store, MILLRACE_LOG: `kafka://ann:%secret@one` },
      { MILLRACE_STORE: store, MILLRACE_LOG: `${log}?replicationFactor=0` },
    ] as const;
    for (const env of wrong) expect(refusal(env).message).not.toContain("secret");
  });

  it("reads what else the addresses say", () => {
    expect(
      kafkaAddress("kafka://ann:p%40ss@one,two:9093/?sasl=scram-sha-512&tls=true&prefix=staging.&minInsyncReplicas=2"),
    ).toEqual({
      type: "kafka",
      brokers: ["one:9092", "two:9093"],
      tls: true,
      sasl: { mechanism: "SCRAM-SHA-512", username: "ann", password: "p@ss" },
      prefix: "staging.",
      replicationFactor: undefined,
      minInsyncReplicas: 2,
      compression: undefined,
    });
    expect(postgresAddress("MILLRACE_STORE", `${store}?schema=staging&sslmode=require&pool=20`)).toEqual({
      type: "postgres",
      variable: "MILLRACE_STORE",
      url: `${store}?sslmode=require`,
      schema: "staging",
      poolMax: 20,
    });
  });
});

describe("a server that cannot be reached", () => {
  it.each([
    ["MILLRACE_STORE", { MILLRACE_STORE: "postgres://ann:secret@127.0.0.1:1/shop" }],
    [
      "MILLRACE_LOG",
      { MILLRACE_STORE: "postgres://ann@127.0.0.1:2/x", MILLRACE_LOG: "postgres://ann:secret@127.0.0.1:1/shop" },
    ],
  ])("is named with the setting that leads there, %s, and without its password", async (variable, env) => {
    const app = millrace({ services: [service("a")], engine: engineFromEnv({ ...env, MILLRACE_DIR: dir }) });
    const failure = await app.start().then(
      () => undefined,
      (error: Failure) => error,
    );
    expect(failure?.code).toMatch(/^(STORE|LOG)_UNAVAILABLE$/);
    expect(failure?.message).toMatch(
      new RegExp(
        `ECONNREFUSED.*\\. ${variable} names 127\\.0\\.0\\.1:1, database shop: see that .* reached from here$`,
      ),
    );
    expect(failure?.message).not.toContain("secret");
  });
});

it("is told of Kafka with whether it was asked for TLS, and as whom: a broker that wants them closes the connection", async () => {
  const clock = virtualClock();
  const context = { clock, random: seededRandom(1), logger: silentLogger };
  const failure = async (parameters: string, user = "") => {
    const env = { MILLRACE_STORE: store, MILLRACE_LOG: `kafka://${user}127.0.0.1:1${parameters}`, MILLRACE_DIR: dir };
    return await passWhile(clock, engineFromEnv(env).open(context)).then(
      () => "",
      (error: Failure) => error.message,
    );
  };
  expect(await failure("")).toMatch(/MILLRACE_LOG names 127\.0\.0\.1:1, without TLS, without a user: see that/);
  const named = await failure("?tls=true&sasl=scram-sha-256", "ann:secret@");
  expect(named).toMatch(/127\.0\.0\.1:1, with TLS, as a user of SCRAM-SHA-256: see that/);
  expect(named).not.toContain("secret");
});

describe("a package that is not installed", () => {
  /** Starts an app in a program for which a package is missing. */
  function start(missing: string, env: Record<string, string>): string {
    const index = new URL("../../dist/index.js", import.meta.url).href;
    const hooks = `export async function resolve(specifier, context, next) {
      if (specifier === ${JSON.stringify(missing)})
        throw Object.assign(new Error("Cannot find package '${missing}' imported from x"), { code: "ERR_MODULE_NOT_FOUND" });
      return next(specifier, context);
    }`;
    const program = `import { register } from "node:module";
      register("data:text/javascript,${encodeURIComponent(hooks)}");
      const { engineFromEnv, millrace, service, silentLogger } = await import(${JSON.stringify(index)});
      const app = millrace({ services: [service("a")], engine: engineFromEnv(), logger: silentLogger });
      await app.start().then(() => app.stop(), (error) => console.log(error.code, error.message));`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
      cwd: dir,
      env: { PATH: process.env.PATH ?? "", ...env },
    });
    return stdout.trim() || stderr.trim();
  }

  it("is named with the command that installs it, when it is needed", () => {
    const nowhere = "postgres://ann@127.0.0.1:1/shop";
    expect(start("pg", { MILLRACE_STORE: nowhere })).toBe(
      `${"PEER_MISSING"} the engine of this environment needs the package pg; run: npm install pg`,
    );
    expect(start("@platformatic/kafka", { MILLRACE_STORE: nowhere, MILLRACE_LOG: "kafka://127.0.0.1:1" })).toBe(
      "PEER_MISSING the engine of this environment needs the package @platformatic/kafka; run: npm install @platformatic/kafka",
    );
  });

  it("is not missed by the embedded engine", () => {
    expect(start("pg", {})).toBe("");
    expect(start("@platformatic/kafka", {})).toBe("");
  });
});
