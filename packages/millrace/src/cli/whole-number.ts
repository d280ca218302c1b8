import { Failure } from "../failure/failure.js";

/** @throws {Failure} OPTION_INVALID when the text is not a whole number from `least` on. */
export function wholeNumber(text: string, option: string, least: 0 | 1 = 1): number {
  if (/^(0|[1-9]\d{0,14})$/.test(text) && Number(text) >= least) return Number(text);
  throw new Failure("OPTION_INVALID", `${option} is ${JSON.stringify(text)}; write a whole number from ${least}`, {
    details: { option },
  });
}
