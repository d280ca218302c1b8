import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { installPackages } from "./install.js";
import { Unavailable } from "./machine.js";
import { cacheFolder, findProgram } from "./place.js";

const run = promisify(execFile);

/** The version of Kafka that tests run against. */
export const kafkaVersion = "4.1.1";

const artifacts: readonly (readonly [group: string, artifact: string, version: string])[] = [
  ["org.apache.kafka", "kafka_2.13", kafkaVersion],
  ["org.apache.kafka", "kafka-tools", kafkaVersion],
  ["org.slf4j", "slf4j-simple", "1.7.36"],
];

/** A folder with the jars of Kafka and of its command line tools; fetched once, through Maven. */
export async function kafkaJars(): Promise<string> {
  const cache = await cacheFolder();
  const folder = join(cache, `kafka-${kafkaVersion}`);
  if (existsSync(folder)) return folder;
  if (findProgram("mvn") === undefined)
    await installPackages("Maven, which fetches Kafka,", ["maven", "default-jre-headless"]);
  const fresh = await mkdtemp(join(cache, "fetching-"));
  try {
    await writeFile(join(fresh, "pom.xml"), pom());
    const jars = join(fresh, "jars");
    const goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", `-DoutputDirectory=${jars}`];
    await run("mvn", ["--batch-mode", "--quiet", "--file", join(fresh, "pom.xml"), ...goal], { maxBuffer: 64 << 20 });
    // All of it or nothing, also when two runs fetch at once.
    await rename(jars, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
    return folder;
  } catch (error) {
    const { stdout, message } = error as Error & { stdout?: string };
    throw new Unavailable(`Kafka could not be fetched: ${(stdout || message).trim().slice(0, 1_000)}`, {
      cause: error,
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** The Java that runs them. */
export async function javaProgram(): Promise<string> {
  const installed = () => findProgram("java", process.env["JAVA_HOME"] ? [join(process.env["JAVA_HOME"], "bin")] : []);
  const found = installed() ?? (await installPackages("Java", ["default-jre-headless"]).then(installed));
  if (found === undefined) throw new Unavailable("Java was installed, but there is no program java");
  return found;
}

function pom(): string {
  const dependencies = artifacts.map(
    ([group, artifact, version]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  );
  return (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>' +
    "<groupId>millrace</groupId><artifactId>services</artifactId><version>1</version>" +
    `<dependencies>${dependencies.join("")}</dependencies></project>\n`
  );
}
