import { describe, expect, it } from "vitest";
import { gatherInvoices, type Invoice } from "./invoices.js";

const header = [
  "InvoiceNo",
  "StockCode",
  "Description",
  "Quantity",
  "InvoiceDate",
  "UnitPrice",
  "CustomerID",
  "Country",
];

function row(invoiceNo: string, change: Partial<Record<string, string>> = {}): string[] {
  const fields: Partial<Record<string, string>> = {
    InvoiceNo: invoiceNo,
    StockCode: "cup",
    Description: "CUP",
    Quantity: "2",
    InvoiceDate: "2010-12-01 08:26:00",
    UnitPrice: "2.55",
    CustomerID: "17850.0",
    Country: "EIRE",
    ...change,
  };
  return header.map((name) => fields[name] ?? "");
}

async function gather(rows: readonly (readonly string[])[], names: readonly string[] = header): Promise<Invoice[]> {
  async function* records() {
    yield names;
    yield* rows;
  }
  const found: Invoice[] = [];
  for await (const invoice of gatherInvoices(records())) found.push(invoice);
  return found;
}

describe("gatherInvoices", () => {
  it("keeps every line, exact duplicates too, and the time of a line that differs", async () => {
    const [invoice] = await gather([row("1"), row("1"), row("1", { InvoiceDate: "2010-12-01 08:27:00" })]);
    const line = { sku: "cup", quantity: 2, unitPrice: "2.55" };
    expect(invoice).toEqual({
      invoiceNo: "1",
      customerId: "17850.0",
      country: "EIRE",
      issuedAt: "2010-12-01T08:26:00Z",
      lines: [line, line, { ...line, at: "2010-12-01T08:27:00Z" }],
    });
  });

  it("leaves out the customer that is not named", async () => {
    expect(await gather([row("1", { CustomerID: "" })])).toEqual([
      expect.not.objectContaining({ customerId: expect.anything() }),
    ]);
  });

  it("makes one invoice of lines that others stand between", async () => {
    const between = Array.from({ length: 999 }, (_, n) => row(`other-${n}`));
    const found = await gather([row("1"), ...between, row("1", { StockCode: "late" }), row("2")]);
    expect(found.filter(({ invoiceNo }) => invoiceNo === "1").map(({ lines }) => lines.map(({ sku }) => sku))).toEqual([
      ["cup", "late"],
    ]);
    expect(found).toHaveLength(1_001);
  });

  it("finds columns by their names", async () => {
    const [first = "", ...others] = [...header].reverse();
    const [invoice] = await gather([[...row("1")].reverse()], [`\uFEFF${first}`, ...others]);
    expect(invoice).toMatchObject({ invoiceNo: "1", country: "EIRE" });
  });

  it.each([
    ["another customer", [row("1"), row("1", { CustomerID: "2" })], /record 3, invoice 1: another customer/],
    ["another country", [row("1"), row("1", { Country: "France" })], /another customer or country/],
    ["half a piece", [row("1", { Quantity: "1.5" })], /Quantity is "1.5"/],
    ["no quantity", [row("1", { Quantity: "" })], /Quantity is ""/],
    ["a date of another form", [row("1", { InvoiceDate: "1/12/2010" })], /InvoiceDate is "1\/12\/2010"/],
    ["no number", [row("")], /InvoiceNo is empty/],
    ["too many lines", Array.from({ length: 2_401 }, () => row("1")), /more than 2400 lines/],
  ])("refuses %s", async (_, rows, message) => {
    await expect(gather(rows)).rejects.toThrow(message);
  });

  it("refuses a file without its columns", async () => {
    await expect(gather([], ["a", "b"])).rejects.toThrow(/no column InvoiceNo, StockCode/);
  });
});
