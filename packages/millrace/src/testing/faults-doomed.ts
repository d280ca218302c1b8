import { isMainThread } from "node:worker_threads";

// Loaded before a program that a test kills in its middle: `node --import …/testing/faults-doomed.js PROGRAM`. Where the test is
// slow, and the program comes to its end first, it is killed there: it never ends in another way.
if (isMainThread)
  process.on("exit", (code) => {
    if (code !== 0) return;
    process.kill(process.pid, "SIGKILL");
    // The signal takes a moment.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
