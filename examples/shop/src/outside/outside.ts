import { type MailServer, startMailServer } from "./mail-server.js";
import type { Behaviour } from "./outside-system.js";
import { type PaymentProvider, startPaymentProvider } from "./payment-provider.js";

/** The world outside the shop, running. */
export interface Outside {
  readonly provider: PaymentProvider;
  readonly mail: MailServer;
  readonly paymentsUrl: string;
  readonly mailUrl: string;
  stop(): Promise<void>;
}

/** Starts the outside systems, all with the same behaviour at first. */
export async function startOutside(
  options: { readonly behaviour?: Partial<Behaviour>; readonly limitPence?: number } = {},
): Promise<Outside> {
  const { limitPence, behaviour = {} } = options;
  const provider = await startPaymentProvider({ behaviour, ...(limitPence !== undefined && { limitPence }) });
  const mail = await startMailServer({ behaviour });
  return {
    provider,
    mail,
    paymentsUrl: provider.url,
    mailUrl: mail.url,
    stop: async () => void (await Promise.all([provider.stop(), mail.stop()])),
  };
}
