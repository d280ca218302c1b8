import type { Benchmark } from "./benchmark.js";

/** Every benchmark, loaded only by the processes that run it. */
export const benchmarks = {
  publish: async () => (await import("./publish.js")).publish,
  handle: async () => (await import("./handle.js")).handle,
  latency: async () => (await import("./latency.js")).latencyBenchmark,
  checkout: async () => (await import("./checkout.js")).checkout,
  command: async () => (await import("./command.js")).commandBenchmark,
  replay: async () => (await import("./replay.js")).replay,
  rebuild: async () => (await import("./rebuild.js")).rebuildBenchmark,
  query: async () => (await import("./rebuild.js")).queryBenchmark,
  "hot-key": async () => (await import("./hot-key.js")).hotKey,
  saga: async () => (await import("./saga.js")).sagaBenchmark,
  visible: async () => (await import("./visible.js")).visibleBenchmark,
  scale: async () => (await import("./scale.js")).scale,
  kafka: async () => (await import("./kafka.js")).kafkaBenchmark,
  growth: async () => (await import("./growth.js")).growth,
  outbox: async () => (await import("./outbox.js")).outboxBenchmark,
  relay: async () => (await import("./relay.js")).relayBenchmark,
  postgres: async () => (await import("./postgres.js")).postgresBenchmark,
  start: async () => (await import("./start.js")).start,
} as const satisfies Readonly<Record<string, () => Promise<Benchmark>>>;

export type BenchmarkName = keyof typeof benchmarks;

export const names = Object.keys(benchmarks) as readonly BenchmarkName[];
