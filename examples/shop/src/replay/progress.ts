/** Where progress is written; `process.stderr` fits. */
export interface Terminal {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/** Shows how far a long work has come: a bar that is redrawn on a terminal, else a line for every tenth. */
export interface Progress {
  /** @param share from 0 to 1 @param count how many are done */
  update(share: number, count: number): void;
  done(count: number): void;
}

const barUnits = 24;
const redrawMs = 100;

/** Begins a progress display for things called `what`, like "invoices". */
export function progress(what: string, terminal: Terminal, now: () => number = () => performance.now()): Progress {
  const started = now();
  let drawn = Number.NEGATIVE_INFINITY;
  let tenth = 0;
  /** What an earlier run had done already is no speed of this one. */
  let first: { readonly share: number; readonly count: number } | undefined;
  const rate = (count: number) =>
    `${Math.round((count - (first?.count ?? 0)) / Math.max(0.001, (now() - started) / 1_000)).toLocaleString("en")}/s`;
  const eta = (share: number) => {
    const gone = share - (first?.share ?? 0);
    return gone > 0 ? duration(((now() - started) * (1 - share)) / gone) : "…";
  };
  const line = (share: number, count: number) =>
    `${Math.floor(share * 100)} %  ${count.toLocaleString("en")} ${what}  ${rate(count)}`;
  return {
    update(share, count) {
      first ??= { share, count };
      if (terminal.isTTY) {
        if (now() - drawn < redrawMs) return;
        drawn = now();
        const full = Math.round(share * barUnits);
        const bar = "█".repeat(full) + "░".repeat(barUnits - full);
        terminal.write(`\r${bar} ${line(share, count)}  ETA ${eta(share)}\u001b[K`);
      } else if (Math.floor(share * 10) > tenth && share < 1) {
        tenth = Math.floor(share * 10);
        terminal.write(`${line(share, count)}  ETA ${eta(share)}\n`);
      }
    },
    done(count) {
      const text = `${line(1, count)}  in ${duration(now() - started)}`;
      terminal.write(terminal.isTTY ? `\r${text}\u001b[K\n` : `${text}\n`);
    },
  };
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
