/**
 * The exact price of a line in pence: unit price × quantity × 100, rounded half to even.
 *
 * Whole numbers all the way. `0.615 * 100` is 61.5 on paper and 61.50000000000001 in floating point, which rounds to
 * another penny; a year of invoices would be off by pounds. Half to even, as banks round, keeps sums unbiased.
 *
 * @param unitPrice pounds as a plain decimal: "2.55", "-11062.06", "0.001"
 * @param quantity a whole number, negative for what came back
 * @throws {RangeError} when either is not such a number, or the result is not exact in a JavaScript number.
 */
export function linePence(unitPrice: string, quantity: number): number {
  const parts = /^([+-]?)(\d+)(?:\.(\d*))?$/.exec(unitPrice);
  if (parts === null) throw new RangeError(`${JSON.stringify(unitPrice)} is not a price like "2.55"`);
  if (!Number.isSafeInteger(quantity)) throw new RangeError(`${quantity} is not a whole number of pieces`);
  const [, sign, whole = "", fraction = ""] = parts;
  // Digits without the point, and how many of them were behind it: 2.555 is 2555 ÷ 10^3.
  const digits = BigInt(whole + fraction.padEnd(2, "0"));
  const exact = (sign === "-" ? -digits : digits) * BigInt(quantity);
  const pence = Number(divideHalfEven(exact, 10n ** BigInt(Math.max(fraction.length, 2) - 2)));
  if (!Number.isSafeInteger(pence))
    throw new RangeError(`${quantity} × ${unitPrice} is more than a number holds exactly`);
  return pence;
}

/** BigInt division drops what is left over; this one rounds it to the nearest, and a half to the even neighbour. */
function divideHalfEven(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  const left = value % divisor;
  const twice = 2n * (left < 0n ? -left : left);
  const up = twice > divisor || (twice === divisor && quotient % 2n !== 0n);
  return up ? quotient + (value < 0n ? -1n : 1n) : quotient;
}

/** Pounds for people: "£1,234.50". */
export function pounds(pence: number): string {
  const text = String(Math.abs(pence)).padStart(3, "0");
  const whole = text.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${pence < 0 ? "-" : ""}£${whole}.${text.slice(-2)}`;
}
