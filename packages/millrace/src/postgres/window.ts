/** A snapshot as PostgreSQL writes it: `xmin:xmax:xip,xip`. Transactions below xmax that are not in xip, and have committed, are visible in it. */
export type Snapshot = string;

// pg_snapshot_out in PostgreSQL's xid8funcs.c
const form = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/;

interface Parsed {
  readonly xmin: bigint;
  readonly xmax: bigint;
  /** Transactions under way, in rising order. */
  readonly xip: readonly bigint[];
}

function parse(snapshot: Snapshot): Parsed {
  const [, xmin, xmax, xip] = form.exec(snapshot) ?? [];
  if (xmin === undefined || xmax === undefined) throw new TypeError(`${snapshot} is no snapshot`);
  const under = xip === undefined || xip === "" ? [] : xip.split(",");
  return { xmin: BigInt(xmin), xmax: BigInt(xmax), xip: under.map(BigInt) };
}

/** What is not visible in a snapshot: transactions from `from` on, and those `among` the ones that were under way. */
export function invisible(snapshot: Snapshot): { readonly from: string; readonly among: readonly string[] } {
  const { xmax, xip } = parse(snapshot);
  return { from: String(xmax), among: xip.map(String) };
}

/** Of snapshots of one cluster, a later one is never before an earlier one: numbers of transactions only grow. */
export function isBefore(snapshot: Snapshot, other: Snapshot): boolean {
  return parse(snapshot).xmax < parse(other).xmax;
}

/** A transaction's snapshot, with itself under way: PostgreSQL leaves it out, so that its own rows seem to be visible. */
export function withOwn(snapshot: Snapshot, own: string): Snapshot {
  const { xmin, xmax, xip } = parse(snapshot);
  const xid = BigInt(own);
  if (xid >= xmax || xip.includes(xid)) return snapshot;
  const under = [...xip, xid].sort((a, b) => (a < b ? -1 : 1));
  return `${xid < xmin ? xid : xmin}:${xmax}:${under.join(",")}`;
}

/** How far a shard's relay has come: its row of mr_relay. */
export interface Window {
  /** The system identifier of the cluster that the snapshots are of. */
  readonly cluster: string;
  /** What is visible in it has been sent. */
  readonly previous: Snapshot;
  /** What is visible in it and not in `previous` is being sent; undefined between windows. */
  readonly current: Snapshot | undefined;
  /** Of the window under way, events up to this number have been sent. */
  readonly position: number;
}

/** A window under way. */
export interface OpenWindow extends Window {
  readonly current: Snapshot;
  /** Of many rows, as far as it is known. */
  readonly large?: boolean;
}

/** Whether a window is under way. */
export function isOpen(window: Window): window is OpenWindow {
  return window.current !== undefined;
}
