import { startOutside } from "shop/dist/outside/outside.js";
import { answering } from "./child.js";

// The payment provider and the mail server of the shop, answering at once: other companies' computers, so not the
// shop's process.
const { paymentsUrl, mailUrl } = await startOutside();
answering(async () => ({ paymentsUrl, mailUrl }));
