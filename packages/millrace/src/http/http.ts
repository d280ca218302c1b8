import type { Hono } from "hono";
import type { Part } from "../consumer/part.js";
import type { AnyContract } from "../contract/contract.js";
import type { Duration } from "../runtime/duration.js";

/** Method and path of a route that sends a command. Parameters are written `{orderId}` or `:orderId`. */
export type RouteName = `${"POST" | "PUT" | "PATCH" | "DELETE"} /${string}`;

/** What a route may make a command's data from. */
export interface RequestFacts {
  /** Values of the path's parameters, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** The parsed body; undefined when the request had none. */
  readonly body: unknown;
}

/** What a route sends: a command, or a command and how its data comes from the request. */
export type CommandRoute =
  | AnyContract
  | {
      readonly command: AnyContract;
      /** By default the body, with the path's parameters merged into it. */
      readonly from?: (request: RequestFacts) => unknown;
    };

/** Routes from requests to commands. */
export type CommandRouteTable = Readonly<Record<RouteName, CommandRoute>>;

/** Path of a route that answers with rows; a parameter in it is the row's key. */
export type RowsRouteName = `GET /${string}`;

/** What a route answers with: the rows of a projection. */
export type ProjectionRoute = Part & { readonly name: string; readonly version: number };

/** Routes from requests to commands, and to the rows of projections. */
export type RouteTable = CommandRouteTable & Readonly<Record<RowsRouteName, ProjectionRoute>>;

/** How commands are taken over HTTP. */
export interface CommandRouteOptions {
  readonly routes: RouteTable;
  /** How long an answer waits until the command is handled (default "10s"); then it says `accepted`. */
  readonly wait?: Duration;
  /**
   * Host names, with or without port, that requests may name. Default: those of this machine when the server listens
   * on loopback; any behind a proxy, or when mounted on a server of your own.
   */
  readonly allowedHosts?: readonly string[];
  /** Origins of web pages that may call, like `https://shop.example`, beside the server's own. */
  readonly allowedOrigins?: readonly string[];
  /** The title of the OpenAPI document (default "Millrace"). */
  readonly title?: string;
}

/** The HTTP server of an app. */
export interface HttpOptions extends Partial<CommandRouteOptions> {
  /** Default 4000; 0 takes any free one. */
  readonly port?: number;
  /** Default 127.0.0.1. Another than loopback needs `behindProxy`, because the server itself asks nobody who they are. */
  readonly host?: string;
  /** Says that a proxy in front authenticates callers, so that the server may listen on any address. */
  readonly behindProxy?: boolean;
  /** How long a consumer may have work and make no progress before `/health/ready` answers 503 (default "60s"). */
  readonly readyWithin?: Duration;
  /** Adds routes of your own. They stand behind the checks of Host and Origin. */
  readonly mount?: (hono: Hono) => void;
}
