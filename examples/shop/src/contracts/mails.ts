import { event, topic } from "millrace";
import { z } from "zod";

/** Letters that the mail server has taken. Holds no address: personal data stays out of logs that are kept for ever. */
export const mails = topic("mails", {
  key: "reference",
  events: {
    sent: event(
      "mail.sent",
      z.object({ reference: z.string(), letter: z.enum(["on-its-way", "cancelled", "refund"]) }),
    ),
  },
});
