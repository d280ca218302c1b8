import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { root } from "./tidy/repo.js";
import { workersFromBuild } from "./workers-from-build.js";

const start = 'new Worker(new URL("./checkpoint-worker.js", import.meta.url))';
const file = (path: string) => `${root}/packages/millrace/${path}`;

it("points a file that starts a worker at the worker in the build", () => {
  const built = pathToFileURL(file("dist/embedded/checkpoint.js")).href;
  const code = workersFromBuild.transform(start, file("src/embedded/checkpoint.ts?v=1"))?.code;
  expect(code).toBe(`new Worker(new URL("./checkpoint-worker.js", ${JSON.stringify(built)}))`);
});

it("leaves other files alone", () => {
  expect(workersFromBuild.transform("const here = import.meta.url;", file("src/log/log.ts"))).toBeUndefined();
  expect(workersFromBuild.transform(start, `${root}/examples/shop/src/main.ts`)).toBeUndefined();
});
