import type { MillraceApp } from "millrace";
import { type ShopOptions, shop } from "../shop.js";

/**
 * The shop for a replay: the same services, with rules that let everybody buy and more stock than was ever sold.
 *
 * History has happened. What was sold, was sold; a replay that refused an order would be wrong about the past.
 */
export function historicalShop(options: Omit<ShopOptions, "rules" | "desks">): MillraceApp {
  return shop({
    ...options,
    rules: { guestPenceMax: Number.POSITIVE_INFINITY, abroadPenceMax: Number.POSITIVE_INFINITY },
    desks: { desks: 16, opening: () => 1_000_000_000 },
  });
}
