import { setImmediate as turn } from "node:timers/promises";
import { expect, it, vi } from "vitest";
import { silentLogger } from "./logger.js";
import { signal, subscribe } from "./signals.js";

it("tells listeners, and is active only while there are some", () => {
  const commits = signal("test.commits");
  expect(commits.active).toBe(false);
  commits.publish({ units: 0 });
  const heard: unknown[] = [];
  const cancel = subscribe("test.commits", (fields) => heard.push(fields));
  expect(commits.active).toBe(true);
  commits.publish({ units: 3 });
  cancel();
  commits.publish({ units: 4 });
  expect(commits.active).toBe(false);
  expect(heard).toEqual([{ units: 3 }]);
});

it("logs a listener that throws or rejects, and goes on telling it and the others", async () => {
  const faulty = signal("test.faulty");
  const logger = { ...silentLogger, error: vi.fn() };
  const other = vi.fn();
  const cancels = [
    subscribe("test.faulty", () => Promise.reject(new Error("async")), logger),
    subscribe(
      "test.faulty",
      () => {
        throw new Error("sync");
      },
      logger,
    ),
    subscribe("test.faulty", other, logger),
  ];
  for (let i = 0; i < 8; i += 1) faulty.publish({ i });
  await turn();
  for (const cancel of cancels) cancel();
  expect(other).toHaveBeenCalledTimes(8);
  // The 1st, 2nd, 4th and 8th failure of each.
  expect(logger.error).toHaveBeenCalledTimes(8);
  expect(logger.error).toHaveBeenCalledWith(
    expect.objectContaining({ signal: "test.faulty", failures: 8 }),
    expect.any(String),
  );
});
