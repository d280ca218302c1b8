import { deepEqual, equal, rejects } from "node:assert/strict";
import { isFailure } from "../../failure/failure.js";
import type { Position } from "../../store/unit.js";
import { act, appended, enteredAs, handled, later, type OperatorsUnderTest, registered } from "./operators-scene.js";
import type { Check } from "./suite.js";
import { checkedService as service } from "./units.js";

const view = { service, name: "view", version: 1 };
const states = async ({ inspect }: OperatorsUnderTest) =>
  (await inspect.builds()).map(({ version, build, state }) => `${version}.${build} ${state}`);
const refused = (work: () => unknown, code: "CONFLICT" | "NOT_FOUND") =>
  rejects(
    async () => work(),
    (error) => isFailure(error, code),
  );

/** A live build that has handled two of three events, and a second one that has not begun. */
async function rebuilding(on: OperatorsUnderTest) {
  await on.store.ensureBuild(service, "view", 1);
  const records = await appended(on, ["a", "b", "c"]);
  const [live] = await registered(on, `${service}.view@1`);
  for (const record of records.slice(0, 2)) await handled(on, { position: live as Position, record });
  const { build } = await on.operate.rebuild(view, act);
  return { records, build };
}

/** Builds of views: made, swapped and dropped. */
export const buildChecks: Readonly<Record<string, Check<OperatorsUnderTest>>> = {
  "the first build of a view is live, a rebuild is made beside it once": async (on) => {
    await refused(() => on.operate.rebuild(view, act), "NOT_FOUND");
    await on.store.ensureBuild(service, "view", 1);
    deepEqual(await states(on), ["1.1 live"]);
    equal((await on.operate.rebuild(view, act)).build, 2);
    const again = await on.operate.rebuild(view, act);
    deepEqual([again.changed, again.build], [0, 2]);
    await refused(() => on.operate.rebuild(view, later(1)), "CONFLICT");
    deepEqual(await states(on), ["1.1 live", "1.2 building"]);
    const [first] = await on.store.readBuilds(service, "view");
    deepEqual([first?.name, first?.service, first?.state], ["view", service, "live"]);
  },

  "a swap waits until the new build has handled what the live one has": async (on) => {
    const { records, build } = await rebuilding(on);
    const swap = { ...view, build, force: false };
    await refused(() => on.operate.swap(swap, act), "CONFLICT");
    const [next] = await registered(on, `${service}.view@1.2`);
    await handled(on, { position: next as Position, record: records[0]! });
    await refused(() => on.operate.swap(swap, act), "CONFLICT");
    await handled(on, { position: next as Position, record: records[1]! });
    equal((await on.operate.swap(swap, act)).changed, 1);
    equal((await on.operate.swap(swap, act)).changed, 0);
    deepEqual(await states(on), ["1.1 retired", "1.2 live"]);
    await refused(() => on.operate.swap({ ...swap, build: 9 }, act), "NOT_FOUND");
  },

  "a swap is refused while events wait in lanes of the new build alone, unless by force": async (on) => {
    const { records, build } = await rebuilding(on);
    const [next] = await registered(on, `${service}.view@1.2`);
    await handled(on, { position: next as Position, record: records[0]! });
    await enteredAs(on, { position: next as Position, record: records[1]! });
    await refused(() => on.operate.swap({ ...view, build, force: false }, act), "CONFLICT");
    equal((await on.operate.swap({ ...view, build, force: true }, act)).changed, 1);
  },

  "a build that does not answer can be dropped, and its consumer is forgotten": async (on) => {
    const { build } = await rebuilding(on);
    await registered(on, `${service}.view@1.2`);
    await refused(() => on.operate.drop({ ...view, build: 1 }, act), "CONFLICT");
    await on.operate.drop({ ...view, build }, act);
    equal((await on.operate.drop({ ...view, build }, act)).changed, 0);
    deepEqual(await states(on), ["1.1 live", "1.2 dropped"]);
    deepEqual(
      (await on.inspect.consumers(0)).map(({ consumer }) => consumer),
      [`${service}.view@1`],
    );
    await refused(() => on.operate.swap({ ...view, build, force: true }, act), "NOT_FOUND");
  },

  "a build whose consumer is forgotten is dropped, and the next one is live": async (on) => {
    await on.store.ensureBuild(service, "view", 1);
    await appended(on, ["a"]);
    await registered(on, `${service}.view@1`);
    await on.operate.forget(`${service}.view@1`, act);
    deepEqual(await states(on), ["1.1 dropped"]);
    await on.store.ensureBuild(service, "view", 1);
    await on.store.ensureBuild(service, "view", 1);
    deepEqual(await states(on), ["1.1 dropped", "1.2 live"]);
    await refused(() => on.operate.forget(`${service}.view@1.2`, act), "NOT_FOUND");
    deepEqual(await states(on), ["1.1 dropped", "1.2 live"]);
  },
};
