import type { MiddlewareHandler } from "hono";
import { Failure } from "../failure/failure.js";

/** Names of this machine that no other machine can be reached by. */
export const loopbackHosts: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

/** Whether an address to listen on can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Who may ask. */
export interface GuardOptions {
  /** Undefined: any. An entry without a port allows every port. */
  readonly hosts: readonly string[] | undefined;
  /** Origins beside the server's own. */
  readonly origins: readonly string[];
  /** True when nothing ends TLS in front: then no page of the server's own has an https origin. */
  readonly plain: boolean;
}

/**
 * Refuses requests that name a foreign host, come from a web page of a foreign origin, or whose path is not well encoded.
 *
 * Also on loopback: a page anywhere can make a browser call 127.0.0.1, by its number or by a name that it points there.
 */
export function guard(options: GuardOptions): MiddlewareHandler {
  const hosts = options.hosts === undefined ? undefined : new Set(options.hosts.map((host) => host.toLowerCase()));
  const origins = new Set(options.origins.map((origin) => origin.toLowerCase().replace(/\/$/, "")));
  return async (c, next) => {
    const host = (c.req.header("host") ?? "").toLowerCase();
    if (hosts !== undefined && !hosts.has(host) && !hosts.has(withoutPort(host))) {
      throw new Failure(
        "HOST_REFUSED",
        "this server does not answer for the host that the request names; list it in allowedHosts",
      );
    }
    const origin = c.req.header("origin")?.toLowerCase();
    if (origin !== undefined && !origins.has(origin)) checkOwn(origin, host, options.plain);
    if (!isDecodable(new URL(c.req.url).pathname))
      throw new Failure("REQUEST_INVALID", "the path is not well encoded: % is followed by two digits of a UTF-8 byte");
    await next();
  };
}

/** `[::1]:4000` → `[::1]`, `localhost:4000` → `localhost`. */
function withoutPort(host: string): string {
  return host.replace(/:\d+$/, "").replace(/\.$/, "");
}

/** A page of the server's own has its host and port; behind a proxy that ends TLS, with https. */
function checkOwn(origin: string, host: string, plain: boolean): void {
  const page = URL.canParse(origin) ? new URL(origin) : undefined;
  const own = `${page?.protocol}//${host}`;
  if (page === undefined || !URL.canParse(own) || new URL(own).host !== page.host)
    throw new Failure("ORIGIN_REFUSED", "pages of this origin may not call; list it in allowedOrigins");
  if (page.protocol !== "http:" && plain)
    throw new Failure(
      "ORIGIN_REFUSED",
      `this server speaks http, and the page's origin is ${page.protocol.slice(0, -1)}; set behindProxy: true when a proxy in front ends TLS, or list the origin in allowedOrigins`,
    );
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
