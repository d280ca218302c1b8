import { Failure } from "../failure/failure.js";

/** @throws {Failure} OPTION_INVALID when the text is not a whole number from 1. */
export function wholeNumber(text: string, option: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new Failure("OPTION_INVALID", `${option} is ${JSON.stringify(text)}; write a whole number from 1`, {
    details: { option },
  });
}
