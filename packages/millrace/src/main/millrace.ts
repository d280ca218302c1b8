import { adminExtension } from "../admin/extension.js";
import { readStandings } from "../admin/reads.js";
import type { ConsumerStanding } from "../admin/standing.js";
import { type App, type AppOptions, declarations, type Extension, type Running } from "../app/app.js";
import { createApp } from "../app/create.js";
import { warmUp } from "../app/warm-up.js";
import { embedded } from "../embedded/embedded.js";
import { Failure } from "../failure/failure.js";
import { type Routable, running } from "../http/command-routes.js";
import { type HttpExtension, httpExtension } from "../http/extension.js";
import type { HttpOptions } from "../http/http.js";
import { durationMs } from "../runtime/duration.js";
import { checkOptions, type OptionNames } from "../runtime/options.js";
import { serviceDeclaration } from "../service/declare.js";

/** What an app is made of. */
export interface MillraceOptions extends AppOptions {
  /** Serves commands over HTTP; see {@link MillraceApp.http}. */
  readonly http?: HttpOptions;
  /**
   * Lets the command line into the running app, through a server on loopback whose address and token only this user can
   * read. Default: true when the engine has a folder.
   */
  readonly admin?: boolean;
}

const optionNames: OptionNames<MillraceOptions> = {
  services: true,
  engine: true,
  logger: true,
  clock: true,
  random: true,
  drain: true,
  loopDelayMax: true,
  memory: true,
  signals: true,
  http: true,
  admin: true,
};

/** An app that can take commands over HTTP. */
export interface MillraceApp extends Routable {
  /**
   * Serves commands over HTTP once the app starts.
   *
   * @throws {Failure} OPTION_INVALID when an option has a value that cannot be used; CONFLICT when it comes too late.
   */
  http(options: HttpOptions): MillraceApp;
  /**
   * How each consumer stands, those furthest behind first: verdict, lag, dead letters. What `millrace consumers ls` shows.
   *
   * @throws {Failure} APP_STOPPED before the start and after the stop.
   */
  consumers(): Promise<readonly ConsumerStanding[]>;
  /** Where the HTTP server listens, like `http://127.0.0.1:4000`; undefined while it does not. */
  readonly url: string | undefined;
}

/**
 * Gathers services into an app. Nothing runs before `start`.
 *
 * Without an engine it is `embedded("./.millrace")`: log and state in one file of that folder.
 *
 * @throws {Failure} OPTION_INVALID, TOPIC_OWNER or CONTRACT_UNKNOWN when the declarations do not fit together.
 * @example
 * ```ts
 * import { command, embedded, millrace, service } from "millrace";
 * import { z } from "zod";
 *
 * const greet = command("greet", z.object({ name: z.string() }), { key: "name" });
 * const greeter = service("greeter").handle(greet, ({ data }) => console.log(`hello ${data.name}`));
 * const app = millrace({ services: [greeter], engine: embedded(":memory:") }).http({ port: 0, routes: { "POST /greetings": greet } });
 * await app.start();
 * await fetch(`${app.url}/greetings`, { method: "POST", headers: { "content-type": "application/json" }, body: '{"name":"Ada"}' });
 * await app.stop();
 * ```
 */
export function millrace(options: MillraceOptions): MillraceApp {
  checkOptions(options, optionNames, { where: "millrace" });
  const { http, admin, ...rest } = options;
  const engine = options.engine ?? embedded();
  const watched = new WatchedRunning();
  const door = new HttpDoor(durationMs(options.drain ?? "10s", "drain"));
  const extensions: Extension[] = [watched, door, warmUp()];
  if (engine.dir !== undefined && admin !== false) extensions.push(adminExtension(engine.dir));
  if (engine.dir === undefined && admin === true) {
    throw new Failure(
      "OPTION_INVALID",
      "admin is true, but this engine has no folder for its address; use embedded(dir)",
      {
        details: { option: "admin" },
      },
    );
  }
  const app: MillraceApp = Object.defineProperties(createApp({ ...rest, engine }, extensions) as MillraceApp, {
    http: {
      value: (given: HttpOptions): MillraceApp => {
        door.open(app, given);
        return app;
      },
    },
    consumers: { value: () => standings(app, watched.running) },
    url: { get: () => door.url },
    [running]: { get: () => watched.running },
    [declarations]: { value: options.services.map(serviceDeclaration) },
  });
  return http === undefined ? app : app.http(http);
}

async function standings(app: App, live: Running | undefined): Promise<readonly ConsumerStanding[]> {
  if (live === undefined) throw new Failure("APP_STOPPED", "the app is not running; call app.start() first");
  const now = () => live.clock.now();
  return readStandings({ inspect: live.engine.inspect, live: { app, running: live }, now });
}

/** Keeps what the app lets its parts see, for as long as it runs. */
class WatchedRunning implements Extension {
  readonly name = "running";
  running: Running | undefined;

  async start(_: App, running: Running): Promise<void> {
    this.running = running;
  }
  async stop(): Promise<void> {
    this.running = undefined;
  }
}

/** The place of the HTTP server among the parts, until it is known whether there will be one. */
class HttpDoor implements Extension {
  readonly name = "http";
  readonly #drainMs: number;
  #extension: HttpExtension | undefined;
  #started = false;

  constructor(drainMs: number) {
    this.#drainMs = drainMs;
  }

  get url(): string | undefined {
    return this.#extension?.url;
  }

  open(app: Routable, options: HttpOptions): void {
    if (this.#started)
      throw new Failure("CONFLICT", "http: the app has started; call app.http({ … }) before app.start()");
    if (this.#extension !== undefined) {
      throw new Failure("OPTION_INVALID", "http: the app has its HTTP server already; give all routes at once", {
        details: { option: "http" },
      });
    }
    this.#extension = httpExtension(app, options, this.#drainMs);
  }

  async start(app: App, running: Running): Promise<void> {
    this.#started = true;
    await this.#extension?.start(app, running);
  }

  async stop(): Promise<void> {
    await this.#extension?.stop();
  }
}
