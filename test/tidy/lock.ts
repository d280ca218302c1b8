import type { Repo } from "./repo.js";
import type { Offence, Rule } from "./rule.js";

const path = "package-lock.json";

interface Entry {
  readonly version?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const parent: Entry = { version: "1.0.0", optionalDependencies: { "b-linux-x64": "1.0.0" } };
const lock = (packages: Record<string, Entry>) => ({ [path]: JSON.stringify({ packages }) });

export const lockRule: Rule = {
  name: "package-lock.json suits npm ci on every platform",
  fix: 'run "npm run lock" after each npm install, and commit its result; .npmrc leaves out where packages came from',
  bad: [
    lock({ "node_modules/a": parent }),
    lock({ "node_modules/a": { version: "1.0.0", resolved: "https://example.org/a.tgz" } }),
    lock({ "node_modules/a": parent, "node_modules/b-linux-x64": {} }),
  ],
  good: [
    lock({ "": {}, "node_modules/a": parent, "node_modules/b-linux-x64": { version: "1.0.0" } }),
    lock({ "node_modules/a": parent, "node_modules/a/node_modules/b-linux-x64": { version: "1.0.0" } }),
    lock({ "node_modules/bench": { resolved: "bench", link: true }, bench: {} }),
  ],
  check: checkLock,
};

function checkLock(repo: Repo): readonly Offence[] {
  const { packages = {} } = (repo.json(path) ?? {}) as { packages?: Readonly<Record<string, Entry>> };
  return Object.entries(packages).flatMap(([place, entry]) => {
    const found: Offence[] = [];
    if (entry.resolved?.includes("://")) found.push({ path, what: `${place} names ${entry.resolved}` });
    if (place.includes("node_modules/") && !entry.link && entry.version === undefined) {
      found.push({ path, what: `${place} has no version` });
    }
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      const present = packages[`${place}/node_modules/${name}`] ?? packages[`node_modules/${name}`];
      if (present === undefined) found.push({ path, what: `${place} needs ${name}, which has no entry` });
    }
    return found;
  });
}
