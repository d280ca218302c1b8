import { expect, it } from "vitest";
import type { EngineContext } from "../engine/engine.js";
import { silentLogger } from "../runtime/logger.js";
import { seededRandom } from "../runtime/random.js";
import { passWhile } from "../testing/passing-time.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { kafkaLog } from "./kafka.js";

it("says once why it waits when no broker answers, and gives up when its patience is at its end", async () => {
  const told: string[] = [];
  const clock = virtualClock();
  const logger = { ...silentLogger, warn: (_: object, message: string) => void told.push(message) };
  const context: EngineContext = { clock, random: seededRandom(1), logger };
  // Nobody listens on port 1.
  const opening = kafkaLog({ client: { bootstrapBrokers: ["127.0.0.1:1"] }, patience: "30s" }).open(context);
  await expect(passWhile(clock, opening)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(told).toEqual([
    expect.stringMatching(/^connecting to Kafka: .*127\.0\.0\.1:1.*; trying again, for 30 s at the most$/),
  ]);
});
