import { z } from "zod";
import { type Behaviour, type OutsideSystem, startOutsideSystem } from "./outside-system.js";

/** What the provider has on its books. `takenPence - returnedPence` is what the shop has. */
export interface ProviderState {
  readonly charges: number;
  readonly takenPence: number;
  readonly returnedPence: number;
}

/** The payment provider, running. */
export interface PaymentProvider extends OutsideSystem {
  state(): ProviderState;
}

const Amount = z.object({ reference: z.string(), pence: z.int() });

/**
 * Starts a payment provider: `POST /charges` and `POST /refunds`, each with `{ reference, pence }`.
 *
 * It refuses charges over `limitPence` with 402.
 */
export async function startPaymentProvider(
  options: { readonly limitPence?: number; readonly behaviour?: Partial<Behaviour>; readonly port?: number } = {},
): Promise<PaymentProvider> {
  const { limitPence = Number.POSITIVE_INFINITY, ...server } = options;
  let [charges, takenPence, returnedPence] = [0, 0, 0];
  const state = () => ({ charges, takenPence, returnedPence });
  const system = await startOutsideSystem({
    ...server,
    state,
    work(path, body) {
      const { reference, pence } = Amount.parse(body);
      if (path === "/refunds") {
        returnedPence += pence;
        return { status: 200, body: { refundId: `re_${reference}` } };
      }
      if (pence > limitPence) return { status: 402, body: { why: "over the card's limit" } };
      charges += 1;
      takenPence += pence;
      return { status: 200, body: { chargeId: `ch_${reference}` } };
    },
  });
  return { ...system, state };
}
