import { createHash, timingSafeEqual } from "node:crypto";
import { Hono } from "hono";
import { Failure } from "../failure/failure.js";
import { readJson } from "../http/body.js";
import { guard, loopbackHosts } from "../http/guard.js";
import { answerNotFound } from "../http/not-found.js";
import { answerProblem } from "../http/problem.js";
import { closing } from "../http/server.js";
import type { Logger } from "../runtime/logger.js";
import { instanceHeader } from "./address.js";
import type { Admin } from "./admin.js";
import { dispatch } from "./dispatch.js";

/** What the server of an admin needs. */
export interface AdminServerOptions {
  readonly token: string;
  readonly instance: string;
  readonly logger: Logger;
  /** Whether connections are to be closed after their answer. */
  closing(): boolean;
}

/** `POST /v1/{call}` with the arguments as JSON; every path asks for the token. */
export function adminRoutes(admin: Admin, options: AdminServerOptions): Hono {
  const hono = new Hono();
  const expected = digest(`Bearer ${options.token}`);
  hono.onError((error, c) => answerProblem(c, error, options.logger));
  answerNotFound(hono, { text: "there is no such call", logger: options.logger });
  hono.use(closing(() => options.closing()));
  hono.use(async (c, next) => {
    c.header(instanceHeader, options.instance);
    c.header("cache-control", "no-store");
    await next();
  });
  hono.use(guard({ hosts: loopbackHosts, origins: [], plain: true }));
  hono.use(async (c, next) => {
    // Digests have one length, so that comparing them tells nothing about the token, not even how long it is.
    if (!timingSafeEqual(digest(c.req.header("authorization") ?? ""), expected)) {
      throw new Failure("UNAUTHORISED", "the token in admin.json is needed as Authorization: Bearer …");
    }
    await next();
  });
  hono.post("/v1/:call", async (c) => {
    const name = c.req.param("call");
    const given = (await readJson(c, `call ${name}`)) ?? {};
    return c.json((await dispatch(admin, name, given)) ?? null);
  });
  return hono;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
