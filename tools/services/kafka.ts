import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { javaProgram, kafkaJars } from "./kafka-jars.js";
import { type SecureListener, secureListener } from "./kafka-secure.js";
import { LocalProcess } from "./local-process.js";
import type { Servers } from "./machine.js";
import { freePorts, workFolder } from "./place.js";

const run = promisify(execFile);

/** A cluster, by a name of letters and digits. */
export interface KafkaWanted {
  readonly name: string;
  readonly brokers: number;
  /** One broker of it also takes TLS with a user and a password. */
  readonly secure?: boolean;
}

/** Where one node listens, on loopback. */
interface Node {
  readonly id: number;
  readonly port: number;
  readonly controllerPort: number;
}

/** A Kafka cluster of so many nodes, each broker and controller, from jars, on free loopback ports. */
export async function localKafka({ name, brokers, secure = false }: KafkaWanted): Promise<Servers> {
  const [java, jars] = [await javaProgram(), await kafkaJars()];
  const folder = await workFolder("kafka");
  try {
    const nodes = await freeNodes(brokers);
    const classes = ["-cp", join(jars, "*")];
    const clusterId = newClusterId();
    const [port] = await freePorts(1);
    const safe = secure ? await secureListener(folder, port as number) : undefined;
    const machines = await Promise.all(
      nodes.map(async (node) => {
        const home = join(folder, String(node.id));
        await mkdir(home);
        const settings = join(home, "server.properties");
        await writeFile(settings, properties(node, { nodes, home, safe }));
        await writeFile(join(home, "log"), "");
        const format = ["kafka.tools.StorageTool", "format", "--cluster-id", clusterId, "--config", settings];
        await run(java, ["-XX:TieredStopAtLevel=1", ...classes, ...format, ...(safe?.format ?? [])]);
        return new LocalProcess({
          name: nodeName(name, node.id),
          command: java,
          args: [...heap(brokers), ...classes, "kafka.Kafka", settings],
          log: join(home, "log"),
          ready: /Kafka Server started/,
          readyMsMax: 120_000,
          stopSignal: "SIGTERM",
          folder,
        });
      }),
    );
    const close = async () => {
      // Without a majority, a node waits for one before it stops: what they store goes anyway.
      await Promise.all(machines.map((machine) => machine.kill()));
      await rm(folder, { recursive: true, force: true });
    };
    try {
      await Promise.all(machines.map((machine) => machine.start()));
    } catch (error) {
      await close();
      throw error;
    }
    const address = nodes.map((node) => `127.0.0.1:${node.port}`).join(",");
    return { origin: "local", address, machines, secure: safe?.secure, close };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** 16 bytes as Kafka writes them; it takes none that begins like an option. */
export function newClusterId(): string {
  return `M${randomBytes(16).toString("base64url").slice(1)}`;
}

async function freeNodes(count: number): Promise<readonly Node[]> {
  const ports = await freePorts(count * 2);
  return Array.from({ length: count }, (_, n) => ({
    id: n + 1,
    port: ports[n * 2] as number,
    controllerPort: ports[n * 2 + 1] as number,
  }));
}

/** Names differ between clusters of one run. */
export function nodeName(cluster: string, id: number): string {
  return `kafka-${cluster}-${id}`;
}

function heap(brokers: number): readonly string[] {
  return ["-Xms128m", brokers === 1 ? "-Xmx512m" : "-Xmx320m", "-XX:+UseSerialGC", "-Xshare:auto"];
}

/** What a node's settings depend on, beside itself. */
interface Surroundings {
  readonly nodes: readonly Node[];
  readonly home: string;
  readonly safe: SecureListener | undefined;
}

function properties(node: Node, { nodes, home, safe }: Surroundings): string {
  const copies = Math.min(3, nodes.length);
  const also = safe === undefined ? "" : `,${safe.listener}`;
  const all: Readonly<Record<string, string | number>> = {
    ...kafkaSettings(copies),
    ...safe?.settings,
    "process.roles": "broker,controller",
    "node.id": node.id,
    "controller.quorum.voters": nodes.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(","),
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}${also}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${node.port}${also}`,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "log.dirs": join(home, "data"),
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

/** What matters to tests, however the servers are started: small, quick to notice a death, and safe where there are three. */
export function kafkaSettings(copies: number): Readonly<Record<string, string | number>> {
  return {
    "auto.create.topics.enable": "false",
    "default.replication.factor": copies,
    "min.insync.replicas": Math.max(1, copies - 1),
    "offsets.topic.replication.factor": copies,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": copies,
    "transaction.state.log.min.isr": Math.max(1, copies - 1),
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": copies,
    "share.coordinator.state.topic.min.isr": Math.max(1, copies - 1),
    "group.initial.rebalance.delay.ms": 0,
    "broker.session.timeout.ms": 6_000,
    "broker.heartbeat.interval.ms": 1_000,
    "controller.quorum.election.timeout.ms": 500,
    "controller.quorum.fetch.timeout.ms": 1_000,
    // Retention and compaction are tested: they are not to be waited for.
    "log.retention.check.interval.ms": 1_000,
    "log.segment.delete.delay.ms": 1_000,
    "log.cleaner.backoff.ms": 500,
    "log.cleaner.dedupe.buffer.size": 8 << 20,
    "num.network.threads": 2,
    "num.io.threads": 4,
  };
}
