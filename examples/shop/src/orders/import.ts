import type { DataOf } from "millrace";
import { corrections } from "../contracts/corrections.js";
import type { invoices } from "../contracts/invoices.js";
import { recordOrder } from "../contracts/orders.js";
import type { BookLine } from "../contracts/parts.js";
import { linePence } from "../money/pence.js";

type Invoice = DataOf<typeof invoices.recorded>;

/**
 * Says in the shop's words what an invoice of the old till was.
 *
 * An anticorruption layer: that C stands for cancellations, or that broken goods are invoices with negative pieces, is
 * known here and nowhere else.
 */
export function translate(invoice: Invoice) {
  const { invoiceNo, customerId, country, issuedAt } = invoice;
  const lines = invoice.lines.map(priced);
  const totalPence = lines.reduce((sum, line) => sum + line.pence, 0);
  const known = { ...(customerId !== undefined && { customerId }), country };
  const correction = { correctionId: invoiceNo, ...known, at: issuedAt, lines, totalPence };
  if (invoiceNo.startsWith("C")) return corrections.goodsReturned(correction);
  if (invoiceNo.startsWith("A")) return corrections.booksAdjusted(correction);
  if (lines.some((line) => line.quantity <= 0)) return corrections.goodsWrittenOff(correction);
  return recordOrder({ orderId: invoiceNo, ...known, placedAt: issuedAt, lines, totalPence });
}

function priced({ sku, quantity, unitPrice, at }: Invoice["lines"][number]): BookLine {
  return { sku, quantity, pence: linePence(unitPrice, quantity), ...(at !== undefined && { at }) };
}
