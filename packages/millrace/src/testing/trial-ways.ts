/** Picks one of so many: 0 is the first. */
export type Choose = (among: number) => number;

interface Choice {
  chosen: number;
  readonly among: number;
}

/**
 * Runs a scenario once for each way in which its choices can fall, each time from its beginning; a failure names its way.
 * Returns how many ways there are.
 */
export async function everyWay(scenario: (choose: Choose) => Promise<void>): Promise<number> {
  const path: Choice[] = [];
  for (let ways = 1; ; ways += 1) {
    await oneWay(path, scenario);
    let last = path.at(-1);
    for (; last !== undefined && last.chosen + 1 === last.among; last = path.at(-1)) path.pop();
    if (last === undefined) return ways;
    last.chosen += 1;
  }
}

/** The choices of `path` first, then the first of each; `path` is what was chosen. */
async function oneWay(path: Choice[], scenario: (choose: Choose) => Promise<void>): Promise<void> {
  let depth = 0;
  const choose: Choose = (among) => {
    const known = path[depth];
    depth += 1;
    if (known === undefined) path.push({ chosen: 0, among });
    else if (known.among !== among) throw new Error("the scenario did something else this time");
    return known?.chosen ?? 0;
  };
  try {
    await scenario(choose);
  } catch (error) {
    if (error instanceof Error) error.message = `way ${path.map(({ chosen }) => chosen).join("")}: ${error.message}`;
    throw error;
  }
}
