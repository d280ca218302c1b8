import { type Call, post } from "../outside/call.js";

/** Sends letters. */
export interface Mailer {
  send(letter: { readonly to: string; readonly subject: string; readonly text: string }, call: Call): Promise<void>;
}

/** The mail server behind a URL. */
export function httpMailer(url: string): Mailer {
  return {
    async send(letter, call) {
      const { status } = await post(`${url}/letters`, letter, call);
      if (status !== 202) throw new Error(`the mail server answered ${status}`);
    },
  };
}
