import { z } from "zod";
import { type Behaviour, type OutsideSystem, startOutsideSystem } from "./outside-system.js";

const Letter = z.object({ to: z.string(), subject: z.string(), text: z.string() });
/** A letter as the mail server took it. */
export type Letter = z.infer<typeof Letter>;

/** The mail server, running. */
export interface MailServer extends OutsideSystem {
  /** How many letters it took, and the last hundred of them. */
  state(): { readonly sent: number; readonly last: readonly Letter[] };
}

/** Starts a mail server: `POST /letters` with `{ to, subject, text }`. */
export async function startMailServer(
  options: { readonly behaviour?: Partial<Behaviour>; readonly port?: number } = {},
): Promise<MailServer> {
  let sent = 0;
  const last: Letter[] = [];
  const state = () => ({ sent, last: [...last] });
  const system = await startOutsideSystem({
    ...options,
    state,
    work(_path, body) {
      sent += 1;
      if (last.push(Letter.parse(body)) > 100) last.shift();
      return { status: 202, body: { queued: true } };
    },
  });
  return { ...system, state };
}
