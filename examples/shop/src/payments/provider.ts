import { z } from "zod";
import { type Call, post } from "../outside/call.js";

/** The payment provider as the payments service needs it. A test may pass an object of its own. */
export interface Provider {
  charge(amount: Amount, call: Call): Promise<{ readonly chargeId: string } | { readonly refused: string }>;
  refund(amount: Amount, call: Call): Promise<void>;
}

interface Amount {
  readonly reference: string;
  readonly pence: number;
}

/** The provider behind a URL. */
export function httpProvider(url: string): Provider {
  return {
    async charge(amount, call) {
      const { status, body } = await post(`${url}/charges`, amount, call);
      if (status === 402) return { refused: z.object({ why: z.string() }).parse(body).why };
      return { chargeId: z.object({ chargeId: z.string() }).parse(body).chargeId };
    },
    async refund(amount, call) {
      const { status } = await post(`${url}/refunds`, amount, call);
      if (status !== 200) throw new Error(`the provider answered ${status} to the refund of ${amount.reference}`);
    },
  };
}
