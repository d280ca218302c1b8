import { engineFromEnv } from "millrace";
import { historicalShop } from "./history.js";

/**
 * One process of a replay by many, for `millrace start dist/replay/member.js --service payments`. The outside systems are in the
 * process that replays: SHOP_PAYMENTS and SHOP_MAIL say where.
 */
export const app = historicalShop({
  engine: engineFromEnv(),
  outside: { paymentsUrl: process.env.SHOP_PAYMENTS ?? "", mailUrl: process.env.SHOP_MAIL ?? "" },
});
