import { existsSync, type FSWatcher, readdirSync, watch } from "node:fs";
import { basename, join } from "node:path";

const ignored = new Set(["node_modules", "coverage"]);
const code = /\.(?:[cm]?[jt]sx?|json|sql)$/;

/**
 * Calls `changed` with the path of each file of code that is written below the folder. Folders of data, of packages, and
 * those whose names begin with a dot are left out.
 *
 * One watcher a folder: Node's recursive watching would walk through node_modules.
 */
export function watchCode(root: string, changed: (path: string) => void): { close(): void } {
  const watchers = new Map<string, FSWatcher>();
  const add = (folder: string): void => {
    if (watchers.has(folder) || existsSync(join(folder, "millrace.db"))) return;
    const watcher = watch(folder, (_, name) => {
      if (name === null) return;
      const path = join(folder, name);
      if (code.test(name)) changed(path);
      else if (isFolder(folder, name)) add(path);
    });
    watcher.on("error", () => {
      watcher.close();
      watchers.delete(folder);
    });
    watchers.set(folder, watcher);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory() && !isIgnored(entry.name)) add(join(folder, entry.name));
    }
  };
  add(root);
  return {
    close() {
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}

function isIgnored(name: string): boolean {
  return name.startsWith(".") || ignored.has(name);
}

function isFolder(parent: string, name: string): boolean {
  if (isIgnored(basename(name))) return false;
  return readdirSync(parent, { withFileTypes: true }).some((entry) => entry.name === name && entry.isDirectory());
}
