/** What the shop sells: name, price of a piece, and how many pieces lie in the warehouse on the first day. */
interface Article {
  readonly name: string;
  readonly pence: number;
  readonly opening: number;
}

/** Articles by SKU. Plain code: prices change with a deployment, and an order keeps the price that it was placed at. */
export type Catalogue = Readonly<Record<string, Article>>;

export const catalogue: Catalogue = {
  "teapot-blue": { name: "Blue enamel teapot", pence: 1_895, opening: 50_000 },
  "cup-red": { name: "Red spotty cup", pence: 255, opening: 200_000 },
  "lantern-star": { name: "Star lantern", pence: 495, opening: 100_000 },
  "clock-station": { name: "Station clock", pence: 8_995, opening: 10_000 },
  // Ten of these for the whole world: order twelve and watch a shortage undo everything else.
  "globe-antique": { name: "Antique globe", pence: 24_900, opening: 10 },
};
