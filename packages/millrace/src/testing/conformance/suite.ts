/** One promise of a port, checked on an adapter: give `name` and `run` to any test runner. */
export interface ConformanceCase {
  readonly name: string;
  /** Rejects when the promise is broken. */
  run(): Promise<void>;
}

/** What an adapter cannot promise: the name of the case, and the reason, which is printed. */
export type Exceptions = Readonly<Record<string, string>>;

/** A case that gets a fresh adapter. */
export type Check<Adapter> = (adapter: Adapter) => Promise<void>;

/** An adapter under test: empty when it was opened, closed when the case is over. */
export interface Opened {
  close(): Promise<void>;
}

/** Makes cases of checks: each opens an adapter of its own and closes it again. */
export function suite<Adapter extends Opened>(
  checks: Readonly<Record<string, Check<Adapter>>>,
  open: () => Promise<Adapter>,
  exceptions: Exceptions,
): readonly ConformanceCase[] {
  for (const name of Object.keys(exceptions))
    if (checks[name] === undefined) throw new Error(`there is no case ${JSON.stringify(name)} to leave out`);
  return Object.entries(checks).flatMap(([name, check]) => {
    const reason = exceptions[name];
    if (reason !== undefined) {
      console.info(`skipped: ${name}: ${reason}`);
      return [];
    }
    return [{ name, run: () => during(open, check) }];
  });
}

async function during<Adapter extends Opened>(open: () => Promise<Adapter>, check: Check<Adapter>): Promise<void> {
  const adapter = await open();
  try {
    await check(adapter);
  } finally {
    await adapter.close();
  }
}
