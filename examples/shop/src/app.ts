import { shopToTry } from "./running.js";
import { defaultDir, styleOf } from "./style.js";

/**
 * The shop, in the style of SHOP_STYLE, for `millrace start` and `millrace dev`, which find it through `package.json#millrace.app`.
 *
 * `npm start` runs the same through `main.ts`, with orders coming in.
 */
const style = styleOf({});
export const { app } = await shopToTry({
  dir: process.env.MILLRACE_DIR ?? defaultDir(style),
  port: Number(process.env.PORT ?? 4000),
  style,
});
