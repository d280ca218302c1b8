// Completes package-lock.json after `npm install`: `npm run lock`.
//
// npm 11 leaves out the optional packages of other platforms when the registry at hand cannot serve them, and then
// `npm ci` refuses the lock file that `npm install` wrote (https://github.com/npm/cli/issues/9846). The missing
// entries follow from their parents: exact version, and the platform from the name. No hash is known for them.
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

const path = resolve(import.meta.dirname, "../package-lock.json");
const lock = JSON.parse(readFileSync(path, "utf8"));
const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const processors = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"];
const added = [];

for (const [place, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (lock.packages[`${place}/node_modules/${name}`] || lock.packages[`node_modules/${name}`]) continue;
    const exact = /^[~^]?(\d+\.\d+\.\d+\S*)$/.exec(version)?.[1];
    if (exact === undefined) throw new Error(`${place} asks for ${name} ${version}: add its entry by hand`);
    lock.packages[`node_modules/${name}`] = {
      version: exact,
      ...platform(name),
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
    };
    added.push(`${name}@${exact}`);
  }
}

function platform(name) {
  if (name === "fsevents") return { os: ["darwin"] };
  const words = name.split("/").at(-1).replace("gnueabihf", "glibc").replace("musleabihf", "musl").split("-");
  const libc = words.includes("musl")
    ? ["musl"]
    : words.some((word) => /^g(nu|libc)/.test(word))
      ? ["glibc"]
      : undefined;
  const os = systems.filter((system) => words.includes(system));
  // "universal" and the like have one system and every processor.
  const cpu = processors.filter((processor) => words.includes(processor));
  return {
    ...(cpu.length ? { cpu } : {}),
    ...(os.length ? { os } : {}),
    ...(libc && os.includes("linux") ? { libc } : {}),
  };
}

lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en")));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length === 0 ? "package-lock.json is complete" : `added ${added.join(", ")}`);
