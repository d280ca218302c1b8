import { Failure } from "../failure/failure.js";
import { applicationId, formatVersion, schema } from "./schema.js";
import type { Database } from "./sqlite.js";

/**
 * Refuses a file that is not ours, or of another format.
 *
 * @throws {Failure} STORE_FORMAT
 */
export function checkFormat(database: Database, file: string): void {
  const { application_id: id } = database.prepare("PRAGMA application_id").get() as { application_id: number };
  const { user_version: version } = database.prepare("PRAGMA user_version").get() as { user_version: number };
  if (id !== applicationId)
    throw new Failure("STORE_FORMAT", `${file} is a SQLite file, but not one of Millrace; give another folder`);
  if (version !== formatVersion)
    throw new Failure(
      "STORE_FORMAT",
      `${file} has format ${version}, this version of Millrace reads format ${formatVersion}; run the version that wrote it`,
    );
}

/** Makes the tables in a new file, or checks the format of an old one. Returns the owner's new epoch and the last commit. */
export function prepareFile(database: Database, file: string, now: number): { epoch: number; commits: number } {
  const fresh = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get() as { n: number };
  database.exec("BEGIN IMMEDIATE");
  try {
    if (fresh.n === 0) {
      database.exec(schema);
      database.exec(`PRAGMA application_id = ${applicationId}`);
      database.exec(`PRAGMA user_version = ${formatVersion}`);
      database.prepare("INSERT INTO mr_engine VALUES (1, 0, 0, ?)").run(now);
    } else {
      checkFormat(database, file);
    }
    database.exec("UPDATE mr_engine SET epoch = epoch + 1");
    const row = database.prepare("SELECT epoch, commits FROM mr_engine").get() as { epoch: number; commits: number };
    database.exec("COMMIT");
    return row;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

const probes = 5;

/** How long a small commit takes to be on disk, in ms: the median of a few. */
export function probeFlush(database: Database, monotonic: () => number): number {
  const times = Array.from({ length: probes }, () => {
    const start = monotonic();
    database.exec("UPDATE mr_engine SET commits = commits");
    return monotonic() - start;
  });
  return times.sort((a, b) => a - b)[(probes - 1) / 2] as number;
}
