import type { Extension } from "./app.js";

/**
 * Has the wire checks of all contracts compiled once the app runs, one in a turn of the event loop, so that no first
 * event waits for its own. Events that come meanwhile go between: a check that they need is compiled by them.
 */
export function warmUp(): Extension {
  let turn: NodeJS.Immediate | undefined;
  return {
    name: "warm-up",
    start: async (_, { contracts }) => {
      const left = contracts.values();
      const next = (): void => {
        const { value: contract, done } = left.next();
        if (done === true) return;
        turn = setImmediate(next);
        try {
          // Nothing fits no contract: all that this does is to compile.
          contract.check(undefined);
        } catch {
          // Its first use says what is wrong with it.
        }
      };
      turn = setImmediate(next);
    },
    stop: async () => clearImmediate(turn),
  };
}
