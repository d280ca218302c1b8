import type { MillraceApp } from "millrace";
import { finished } from "../analytics/report.js";

/** Invoices that may be in the shop unfinished. The log would hold any number; this keeps the progress bar honest. */
const aheadMax = 4_000;
const lookMs = 100;

/** How far the shop is behind what was sent to it. */
export interface Backlog {
  /** Waits while too much is unfinished. Returns at once when the shop is at rest: what is left then never finishes by itself. */
  room(sent: number): Promise<void>;
  /** Finished invoices, counted now. */
  look(): Promise<number>;
  /** Finished invoices, as last counted. */
  finished(): number;
}

/** Watches the read models of analytics. */
export function backlog(app: MillraceApp): Backlog {
  let done = 0;
  let looked = Number.NEGATIVE_INFINITY;
  const look = async () => {
    looked = performance.now();
    done = await finished(app);
    return done;
  };
  return {
    look,
    finished: () => done,
    async room(sent) {
      if (performance.now() - looked > lookMs) await look();
      if (sent - done <= aheadMax) return;
      let settled = false;
      const settling = app.settled().then(() => {
        settled = true;
      });
      while (!settled && sent - done > aheadMax / 2) {
        await Promise.race([settling, new Promise((next) => setTimeout(next, lookMs / 2))]);
        await look();
      }
    },
  };
}
