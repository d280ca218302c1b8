import { shopToTry } from "./running.js";

/**
 * The shop for `millrace start` and `millrace dev`, which find it through `package.json#millrace.app`.
 *
 * `npm start` runs the same through `main.ts`, with orders coming in.
 */
export const { app } = await shopToTry({
  dir: process.env.MILLRACE_DIR ?? "./.millrace",
  port: Number(process.env.PORT ?? 4000),
});
