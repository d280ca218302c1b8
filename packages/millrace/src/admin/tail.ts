import type { OpenEngine } from "../engine/engine.js";
import type { Clock } from "../runtime/clock.js";
import type { EventPage, EventQuery, Inspect } from "../store/inspect.js";

/** What a tail looks at. */
interface Followed {
  readonly inspect: Inspect;
  readonly live: { readonly running: { readonly engine: OpenEngine; readonly clock: Clock } } | undefined;
  readonly stopping: AbortSignal;
}

interface TailArgs {
  readonly query: Omit<EventQuery, "limit" | "after">;
  readonly after?: string;
  readonly last?: number;
  readonly waitMs?: number;
}

type Page = Pick<EventPage, "events" | "cursor">;

const pageMax = 500;
const waitMsMax = 25_000;

/** See `Admin.tail`. A wait ends with the first commit that appends something that fits, without polling. */
export async function follow(followed: Followed, args: TailArgs): Promise<Page> {
  const { inspect } = followed;
  if (args.after === undefined) return begin(inspect, args);
  let cursor = args.after;
  const wait = waiter(followed, Math.min(args.waitMs ?? 0, waitMsMax));
  try {
    for (;;) {
      const grown = wait.next();
      const page = await inspect.events({ ...args.query, after: cursor, limit: pageMax });
      cursor = page.cursor;
      if (page.events.length > 0 || (page.next === undefined && !(await grown))) return { events: page.events, cursor };
      await new Promise<void>((turn) => setImmediate(turn));
    }
  } finally {
    wait.end();
  }
}

/** The end is marked before the last events are read, so that nothing falls between. */
async function begin(inspect: Inspect, { query, last = 0 }: TailArgs): Promise<Page> {
  const end = await inspect.events({ ...query, since: Number.MAX_SAFE_INTEGER, limit: 1 });
  if (last === 0) return { events: [], cursor: end.cursor };
  const { events } = await inspect.events({ ...query, newestFirst: true, limit: Math.min(last, pageMax) });
  return { events: [...events].reverse(), cursor: end.cursor };
}

/** `next()` resolves to true at the next commit that appends, to false when the time is up or the app stops. */
function waiter({ live, stopping }: Followed, waitMs: number) {
  let tell = (_grown: boolean): void => {};
  let over = live === undefined || waitMs === 0 || stopping.aborted;
  const end = (): void => {
    over = true;
    tell(false);
  };
  const stopListening = live?.running.engine.onAppended(() => tell(true));
  const cancel = live?.running.clock.after(waitMs, end);
  stopping.addEventListener("abort", end, { once: true });
  return {
    next: (): Promise<boolean> => {
      if (over) return Promise.resolve(false);
      return new Promise((resolve) => {
        tell = resolve;
      });
    },
    end(): void {
      end();
      stopListening?.();
      cancel?.();
      stopping.removeEventListener("abort", end);
    },
  };
}
