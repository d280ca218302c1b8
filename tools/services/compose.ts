import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type KafkaWanted, kafkaSettings, newClusterId, nodeName } from "./kafka.js";
import { kafkaVersion } from "./kafka-jars.js";
import type { Machine, Servers } from "./machine.js";
import { freePorts, workFolder } from "./place.js";

const run = promisify(execFile);

/** A service of a compose file, as far as we use it. */
type Service = Readonly<Record<string, unknown>>;

/** Whether a container engine answers, and its compose command is there. */
export async function composeRuns(): Promise<boolean> {
  try {
    await run("docker", ["compose", "version"]);
    await run("docker", ["info"]);
    return true;
  } catch {
    return false;
  }
}

/** PostgreSQL in a container. */
export async function composedPostgres(name: string): Promise<Servers> {
  const [port] = await freePorts(1);
  const password = randomBytes(12).toString("hex");
  const postgres: Service = {
    image: "postgres:17",
    environment: { POSTGRES_USER: "millrace", POSTGRES_PASSWORD: password, POSTGRES_DB: "postgres" },
    command: ["postgres", "-c", "max_connections=300", "-c", "max_wal_size=2GB", "-c", "wal_level=logical"],
    ports: [`127.0.0.1:${port}:5432`],
    healthcheck: { test: ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "millrace"], interval: "1s", retries: 60 },
  };
  return composed({ [`postgres-${name}`]: postgres }, `postgres://millrace:${password}@127.0.0.1:${port}/postgres`);
}

/** A Kafka cluster of so many containers. */
export async function composedKafka({ name, brokers }: KafkaWanted): Promise<Servers> {
  const ports = await freePorts(brokers);
  const cluster = newClusterId();
  const voters = ports.map((_, n) => `${n + 1}@${nodeName(name, n + 1)}:9093`).join(",");
  const settings = environment(kafkaSettings(Math.min(3, brokers)));
  const nodes = ports.map((port, n): readonly [string, Service] => [
    nodeName(name, n + 1),
    {
      image: `apache/kafka:${kafkaVersion}`,
      environment: {
        ...settings,
        CLUSTER_ID: cluster,
        KAFKA_NODE_ID: n + 1,
        KAFKA_PROCESS_ROLES: "broker,controller",
        KAFKA_CONTROLLER_QUORUM_VOTERS: voters,
        KAFKA_LISTENERS: "HOST://:9092,INSIDE://:9094,CONTROLLER://:9093",
        KAFKA_ADVERTISED_LISTENERS: `HOST://127.0.0.1:${port},INSIDE://${nodeName(name, n + 1)}:9094`,
        KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: "HOST:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
        KAFKA_CONTROLLER_LISTENER_NAMES: "CONTROLLER",
        KAFKA_INTER_BROKER_LISTENER_NAME: "INSIDE",
        KAFKA_HEAP_OPTS: "-Xmx400m",
      },
      ports: [`127.0.0.1:${port}:9092`],
      healthcheck: {
        test: ["CMD-SHELL", "/opt/kafka/bin/kafka-broker-api-versions.sh --bootstrap-server localhost:9094"],
        interval: "2s",
        retries: 60,
      },
    },
  ]);
  return composed(Object.fromEntries(nodes), ports.map((port) => `127.0.0.1:${port}`).join(","));
}

/** Settings as the image of Kafka takes them: `log.dirs` is `KAFKA_LOG_DIRS`. */
function environment(settings: Readonly<Record<string, string | number>>): Service {
  const name = (setting: string) => `KAFKA_${setting.replaceAll(".", "_").toUpperCase()}`;
  return Object.fromEntries(Object.entries(settings).map(([setting, value]) => [name(setting), value]));
}

async function composed(services: Readonly<Record<string, Service>>, address: string): Promise<Servers> {
  const folder = await workFolder("compose");
  const file = join(folder, "compose.json");
  await writeFile(file, JSON.stringify({ services }, undefined, 2), { mode: 0o600 });
  const project = ["compose", "--project-name", `millrace-${randomBytes(4).toString("hex")}`, "--file", file];
  const compose = async (...args: readonly string[]) => {
    await run("docker", [...project, ...args], { maxBuffer: 64 << 20 });
  };
  const close = async () => {
    await compose("down", "--volumes", "--timeout", "5");
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await compose("up", "--detach", "--wait", "--wait-timeout", "300");
  } catch (error) {
    await close();
    throw error;
  }
  const machines = Object.keys(services).map(
    (name): Machine => ({
      name,
      start: () => compose("up", "--detach", "--wait", name),
      stop: () => compose("stop", name),
      kill: () => compose("kill", name),
      pause: () => compose("pause", name),
      resume: () => compose("unpause", name),
    }),
  );
  return { origin: "compose", address, machines, close };
}
