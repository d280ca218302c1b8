import type { Context, Hono } from "hono";
import { Failure } from "../failure/failure.js";
import type { Logger } from "../runtime/logger.js";
import { answerProblem } from "./problem.js";

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

/** Answers what no route took: 405 when the path has routes for other methods, otherwise 404 with this text. */
export function answerNotFound(hono: Hono, options: { readonly text: string; readonly logger: Logger }): void {
  hono.notFound((c) => {
    const allowed = allowedAt(hono, c);
    const asked = c.req.method === "HEAD" ? "GET" : c.req.method;
    if (allowed.length === 0 || allowed.includes(asked))
      return answerProblem(c, new Failure("NOT_FOUND", options.text), options.logger);
    const text = `this path takes ${allowed.join(", ")}, not ${asked}`;
    return answerProblem(c, new Failure("METHOD_REFUSED", text, { details: { allowed } }), options.logger);
  });
}

/** Methods that a route of the path takes. Those of every method are middleware. */
function allowedAt(hono: Hono, c: Context): readonly string[] {
  return methods.filter((method) =>
    hono.router.match(method, c.req.path)[0].some(([[, route]]) => route.method !== "ALL"),
  );
}
