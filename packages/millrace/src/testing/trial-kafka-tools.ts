import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

const tools = {
  consumer: "org.apache.kafka.tools.consumer.ConsoleConsumer",
  producer: "org.apache.kafka.tools.ConsoleProducer",
  groups: "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
} as const;

/** Where tools/services keeps the jars it fetched. */
const jars = join(tmpdir(), `millrace-services-${userInfo().uid}`, "kafka-4.1.1");

/** Kafka's own command line tools are here: they came with the broker. */
export const hasKafkaTools = existsSync(jars);

/** Runs one of Kafka's own command line tools, and returns what it prints. */
export async function kafkaTool(tool: keyof typeof tools, args: readonly string[], input = ""): Promise<string> {
  const child = spawn("java", ["-XX:TieredStopAtLevel=1", "-Xmx128m", "-cp", join(jars, "*"), tools[tool], ...args], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  child.stdin.end(input);
  await new Promise((ended, failed) => {
    child.once("error", failed);
    child.once("close", ended);
  });
  return printed;
}
