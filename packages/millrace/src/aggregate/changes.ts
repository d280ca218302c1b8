/** A value that two states have differently. `from` or `to` is absent where there is none. */
export interface Change {
  /** Names and positions with dots between: `lines.0.quantity`; empty for a state that is no object. */
  readonly path: string;
  readonly from?: unknown;
  readonly to?: unknown;
}

/** What differs between two values as JSON has them, in the order of their fields. */
export function changesBetween(from: unknown, to: unknown): readonly Change[] {
  const changes: Change[] = [];
  collect(plain(from), plain(to), "", changes);
  return changes;
}

function collect(from: unknown, to: unknown, path: string, changes: Change[]): void {
  if (Object.is(from, to)) return;
  if (!isObject(from) || !isObject(to) || Array.isArray(from) !== Array.isArray(to)) {
    changes.push({ path, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) });
    return;
  }
  const names = new Set([...Object.keys(from), ...Object.keys(to)]);
  for (const name of names) {
    const below = path === "" ? name : `${path}.${name}`;
    collect(own(from, name), own(to, name), below, changes);
  }
}

/**
 * The value at a path of a state, undefined where there is none. A field whose name has dots in it is found, too.
 *
 * Own properties only: `constructor` is not part of anybody's state.
 */
export function valueAt(state: unknown, path: string): unknown {
  if (path === "") return state;
  if (!isObject(state)) return undefined;
  if (Object.hasOwn(state, path)) return state[path];
  for (let dot = path.indexOf("."); dot > 0; dot = path.indexOf(".", dot + 1)) {
    const head = path.slice(0, dot);
    if (!Object.hasOwn(state, head)) continue;
    const found = valueAt(state[head], path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A value as JSON shows it: dates are text, what JSON cannot hold is gone. */
export function plain(value: unknown): unknown {
  const text = JSON.stringify(value);
  return text === undefined ? undefined : JSON.parse(text);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function own(of: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(of, name) ? of[name] : undefined;
}
