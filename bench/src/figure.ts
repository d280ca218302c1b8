/** One line of the result. `ok` is null where there is no target, `ratio` where there is no ceiling. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What plain code reached in the same run, in the same unit. For times and memory it is a floor. */
  readonly ceiling: number | null;
  /** value ÷ ceiling. */
  readonly ratio: number | null;
  readonly target: string | null;
  readonly ok: boolean | null;
}

/** What a figure has to be. All that is given must hold. */
export interface Goal {
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly ratioAtLeast?: number;
}

/** A figure, judged. */
export function figure(facts: {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly ceiling?: number | undefined;
  readonly goal?: Goal;
}): Figure {
  const { name, unit, goal = {} } = facts;
  const value = rounded(facts.value);
  const ceiling = facts.ceiling === undefined ? null : rounded(facts.ceiling);
  const ratio = ceiling === null || ceiling === 0 ? null : rounded(value / ceiling);
  const conditions: { readonly text: string; readonly holds: boolean }[] = [];
  if (goal.atLeast !== undefined) conditions.push({ text: `≥ ${text(goal.atLeast)}`, holds: value >= goal.atLeast });
  if (goal.atMost !== undefined) conditions.push({ text: `≤ ${text(goal.atMost)}`, holds: value <= goal.atMost });
  if (goal.ratioAtLeast !== undefined)
    conditions.push({
      text: `≥ ${text(goal.ratioAtLeast * 100)} % of the ceiling`,
      holds: ratio !== null && ratio >= goal.ratioAtLeast,
    });
  const judged = conditions.length > 0;
  return {
    name,
    value,
    unit,
    ceiling,
    ratio,
    target: judged ? conditions.map((condition) => condition.text).join(" and ") : null,
    ok: judged ? conditions.every((condition) => condition.holds) : null,
  };
}

/** A number as people read it: 123,456 or 0.0123. */
export function text(value: number): string {
  return value.toLocaleString("en-GB", { maximumSignificantDigits: Math.abs(value) >= 1000 ? 6 : 3 });
}

/** Four digits say all that a measurement knows. */
function rounded(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4));
}
