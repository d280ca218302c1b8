import { type Database, type Statement, substituteSqlite } from "../embedded/sqlite.js";

/** Undoes what was planted. */
export type Undo = () => void;

/** Stands between the product and its connections to the file. */
export interface ConnectionWatch {
  exec?(sql: string, exec: (sql: string) => void): void;
  prepare?(sql: string, prepare: (sql: string) => Statement): Statement;
}

const watches: ConnectionWatch[] = [];
let substituted = false;

/** Has `watch` see what the connections opened from now on in this thread are told. The last to come sees it first. */
export function watchConnections(watch: ConnectionWatch): Undo {
  if (!substituted) substitute();
  watches.push(watch);
  return () => void watches.splice(watches.indexOf(watch), 1);
}

function substitute(): void {
  substituted = true;
  substituteSqlite((own) => {
    class Watched extends own.DatabaseSync {
      override exec(sql: string): void {
        const through = (at: number, text: string): void => {
          const watch = watches[at];
          if (watch === undefined) super.exec(text);
          else if (watch.exec === undefined) through(at - 1, text);
          else watch.exec(text, (next) => through(at - 1, next));
        };
        through(watches.length - 1, sql);
      }
      override prepare(sql: string): Statement {
        const through = (at: number, text: string): Statement => {
          const watch = watches[at];
          if (watch === undefined) return super.prepare(text);
          if (watch.prepare === undefined) return through(at - 1, text);
          return watch.prepare(text, (next) => through(at - 1, next));
        };
        return through(watches.length - 1, sql);
      }
    }
    return {
      DatabaseSync: Watched as new (file: string, options?: { readOnly?: boolean }) => Database,
      backup: own.backup,
    };
  });
}
