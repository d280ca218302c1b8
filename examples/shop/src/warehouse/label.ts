import { Failure } from "millrace";
import type { Address } from "../contracts/parts.js";

/** What the label printer can print: capital letters, digits, one space in between. */
const postcode = /^[A-Z0-9]{2,5}( [A-Z0-9]{2,5})?$/;

/**
 * The text of a parcel's label.
 *
 * An address that cannot be printed will not print tomorrow either, so that trying again is useless: this verdict is
 * `dead-letter`. The event waits, with the order's later events in order behind it, until an operator edits the address
 * and redrives it. Other orders flow on.
 *
 * @throws {Failure} EVENT_REJECTED
 */
export function printLabel(address: Address): string {
  if (postcode.test(address.postcode)) return `${address.name}\n${address.street}\n${address.postcode}`;
  throw new Failure(
    "EVENT_REJECTED",
    'order.placed: /deliverTo/postcode cannot be printed; edit it to capital letters and digits, like "N1 9GU", and redrive',
  );
}
