import type { App, Running } from "../app/app.js";
import { contractDeclaration, type EventName, type Message } from "../contract/contract.js";
import { Failure } from "../failure/failure.js";
import type { Awaitable } from "../log/log.js";
import { deriveId, seedOf } from "../runtime/ids.js";
import { viewOfConsumer } from "../store/builds.js";
import type { Act, EntriesOutcome } from "../store/operate.js";
import type { LaneEntry } from "../store/unit.js";
import type { ActArgs, ActReport, Admin, EntrySelection } from "./admin.js";
import { checkEdit, contractOf } from "./contracts.js";

/** The app that acts are done in. */
export interface Live {
  readonly app: App;
  readonly running: Running;
}

/** The parts of {@link Admin} that change something. */
export type Acts = Pick<Admin, "forget" | "edit" | "skip" | "redrive" | "publish">;

const pageMax = 1_000;
/** Dead letters in one commit, which holds up everybody else's. */
const pieceMax = 250;

/** Acts of operators in a running app. */
export function actsOf(live: Live): Acts {
  const { operate } = live.running.engine;
  return {
    async forget(args) {
      const act = actOf(live, args);
      const { consumer, dryRun = false } = args;
      const views = await live.running.engine.inspect.consumers(live.running.clock.now());
      const view = views.find((candidate) => candidate.consumer === consumer);
      if (view === undefined)
        throw new Failure("NOT_FOUND", `no consumer is registered as ${JSON.stringify(consumer)}`);
      const { running } = live;
      const here = running.consumers().some((status) => status.consumer === consumer);
      const declared = here || running.elsewhere.includes(consumer);
      if (declared && args.force !== true) {
        throw new Failure(
          "CONFLICT",
          `${consumer} is declared by the running app and would be registered anew at its next start; remove it from the code first, or force it`,
        );
      }
      const report = { dryRun, matched: 1, keys: view.parked + view.dead, unchanged: [] };
      if (dryRun) return { ...report, changed: 0 };
      if (declared) live.running.forget(consumer);
      const outcome = await operate.forget(consumer, act);
      if (viewOfConsumer(consumer) !== undefined) await live.running.changed({ builds: true });
      return { ...report, changed: outcome.changed === 0 ? 0 : 1 };
    },
    async edit(args) {
      const act = actOf(live, args);
      const entry = await deadEntry(live, args.entry);
      const { record } = entry;
      const { text, version } = checkEdit(contractOf(live.running.services, record.type), args.data, record.key);
      const id = await editId(live, entry, `v${version} ${text}`);
      const dryRun = args.dryRun ?? false;
      const report = { id, dryRun, matched: 1, keys: 1, unchanged: [] };
      if (dryRun) return { ...report, changed: 0 };
      const outcome = await operate.edit({ entry: entry.entry, id, data: text, version }, act);
      await live.running.lanesChanged(outcome.lanes);
      return { ...report, changed: outcome.changed, unchanged: outcome.changed === 0 ? [entry.entry] : [] };
    },
    skip: (args) => inPieces(live, args, (entries, act) => operate.skip(entries, act)),
    redrive: (args) => inPieces(live, args, (entries, act) => operate.redrive(entries, act)),
    async publish({ type, data, id, actor }) {
      const contract = contractOf(live.running.services, type);
      // Nobody has checked the data so far: the app does, against the contract.
      const message = contract(data as never);
      const options = { actor, ...(id === undefined ? {} : { id }) };
      if (isEvent(message)) return { kind: "event", ...(await live.app.publish(message, options)) };
      const operation = await live.app.send(message, { ...options, waitFor: "handled", timeout: "10s" });
      return {
        kind: "command",
        operation: operation.id,
        correlationId: operation.correlationId,
        state: operation.state,
        ...(operation.refused === undefined ? {} : { refused: operation.refused }),
        ...(operation.detail === undefined ? {} : { detail: operation.detail }),
      };
    },
  };
}

/** Derived from the event in the log and what takes its place, so that the same edit made twice is the same event. */
async function editId(live: Live, entry: LaneEntry, content: string): Promise<string> {
  const { record, consumer } = entry;
  const amendments = await live.running.engine.inspect.amendments(consumer);
  const edited = amendments.some((amendment) => amendment.id === record.id);
  const cause = {
    source: record.source,
    id: (edited ? record.causationId : undefined) ?? record.id,
    time: record.time,
  };
  return deriveId(cause, seedOf("edit", consumer, content), 0);
}

function isEvent(message: Message<string, unknown>): message is Message<EventName, unknown> {
  return contractDeclaration(message).kind === "event";
}

/** Who, why and when. */
export function actOf(live: Live, args: ActArgs): Act {
  const reason = args.reason.trim();
  if (reason === "" && args.dryRun !== true) {
    throw new Failure("OPTION_INVALID", "give a reason: it is kept in the audit record", {
      details: { option: "reason" },
    });
  }
  return { actor: args.actor, reason, at: live.running.clock.now() };
}

async function deadEntry(live: Live, number: number): Promise<LaneEntry> {
  const entry = await live.running.engine.inspect.entry(number);
  if (entry === undefined)
    throw new Failure("NOT_FOUND", `there is no dead letter ${number}; it may have been redriven or skipped`);
  if (entry.state === "dead") return entry;
  throw new Failure(
    "CONFLICT",
    `entry ${number} is ${entry.state}, not dead; only dead letters can be edited, skipped and redriven`,
  );
}

/** Acts on a frozen selection, a commit for each piece, so that what fails in the middle leaves the pieces before it done. */
async function inPieces(
  live: Live,
  args: ActArgs & EntrySelection,
  doIt: (entries: readonly number[], act: Act) => Awaitable<EntriesOutcome>,
): Promise<ActReport> {
  const act = actOf(live, args);
  const { entries, keys } = await select(live, args);
  const dryRun = args.dryRun ?? false;
  const report = { dryRun, matched: entries.length, keys };
  if (dryRun) return { ...report, changed: 0, unchanged: [] };
  // By number: of one lane, the earlier event is in the earlier piece.
  const numbers = [...entries].sort((one, other) => one - other);
  let changed = 0;
  const unchanged: number[] = [];
  for (let start = 0; start < numbers.length; start += pieceMax) {
    const outcome = await doIt(numbers.slice(start, start + pieceMax), act);
    changed += outcome.changed;
    unchanged.push(...outcome.unchanged);
    await live.running.lanesChanged(outcome.lanes);
    // Handlers run in this process, too: they get their turn.
    await new Promise<void>((turn) => setImmediate(turn));
  }
  return { ...report, changed, unchanged };
}

/** Dead letters by number, and how many lanes they stand in. */
interface Selected {
  readonly entries: readonly number[];
  readonly keys: number;
}

/** The dead letters that are meant, as they are now; each is shown to `look`, and only its number is kept. */
export async function select(
  live: Live,
  selection: EntrySelection,
  look: (letter: LaneEntry) => void = () => {},
): Promise<Selected> {
  const entries: number[] = [];
  const lanes = new Set<string>();
  for await (const letter of lettersOf(live, selection)) {
    entries.push(letter.entry);
    lanes.add(`${letter.consumer}\n${letter.lane}`);
    look(letter);
  }
  return { entries, keys: lanes.size };
}

async function* lettersOf(live: Live, selection: EntrySelection): AsyncGenerator<LaneEntry> {
  const { entries, consumer, fingerprint, events } = selection;
  if (entries !== undefined && entries.length > 0) {
    for (const number of new Set(entries)) yield await deadEntry(live, number);
    return;
  }
  if (consumer === undefined && fingerprint === undefined && events === undefined && selection.all !== true) {
    throw new Failure(
      "OPTION_INVALID",
      "name dead letters by number, by consumer, by fingerprint or by a query, or ask for all",
      {
        details: { option: "entries" },
      },
    );
  }
  for (let after = 0; ; ) {
    const page = await live.running.engine.inspect.entries({
      state: "dead",
      limit: pageMax,
      afterEntry: after,
      ...(consumer === undefined ? {} : { consumer }),
      ...(fingerprint === undefined ? {} : { fingerprint }),
      ...(events === undefined ? {} : { event: events }),
    });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < pageMax) return;
    after = last.entry;
    // Handlers run in this process, too: they get their turn.
    await new Promise<void>((turn) => setImmediate(turn));
  }
}
