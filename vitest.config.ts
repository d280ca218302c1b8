import { defineConfig } from "vitest/config";
import { workersFromBuild } from "./test/workers-from-build.js";

export default defineConfig({
  plugins: [workersFromBuild],
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "examples/*/src/**/*.test.ts",
      "bench/src/**/*.test.ts",
      "chaos/src/**/*.test.ts",
      "tools/**/*.test.ts",
      "test/**/*.test.ts",
    ],
    // Type tests are statements for the compiler: `npm run types` is what checks them.
    exclude: ["**/node_modules/**", "**/dist/**", "**/*.type.test.ts"],
    // Real servers, started when a test file first asks for them, and stopped at the end.
    globalSetup: "tools/services/vitest.ts",
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // What is waited for may take its time on a loaded machine.
    expect: { poll: { timeout: 15_000 } },
    coverage: { provider: "v8", include: ["packages/*/src/**/*.ts"], exclude: ["**/*.test.ts"] },
  },
});
