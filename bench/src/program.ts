/** A line for whoever looks on; figures go to standard output. */
export const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Runs what the command line asks for. `read` throws what is wrong with it, which is said above the usage. */
export async function program<Wishes>({
  usage,
  read,
  run,
}: {
  readonly usage: string;
  readonly read: () => Wishes;
  readonly run: (wishes: Wishes) => Promise<void>;
}): Promise<void> {
  let wishes: Wishes;
  try {
    wishes = read();
  } catch (error) {
    say(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exitCode = 2;
    return;
  }
  // Through `exit`, so that the folders go and the children see that nobody listens any more.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  await run(wishes);
}
