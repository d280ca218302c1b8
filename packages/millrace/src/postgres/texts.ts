import type { ServicePlace } from "./install.js";
import type { Prepared } from "./session.js";

/** The statements of one service: each is compiled once for each connection. */
export class Texts {
  readonly #shared: string;
  readonly #schema: string;
  readonly #number: number;
  readonly #known = new Map<string, Prepared>();

  constructor(shared: string, { schema, number }: Pick<ServicePlace, "schema" | "number">) {
    this.#shared = shared;
    this.#schema = schema;
    this.#number = number;
  }

  /** A statement by its name; in its text, `$schema` is the service's schema and `$shared` that of all. */
  of(name: string, text: string): Prepared {
    let prepared = this.#known.get(name);
    if (prepared === undefined) {
      const filled = text.replaceAll("$schema", this.#schema).replaceAll("$shared", this.#shared);
      prepared = { name: `${this.#shared}_${this.#number}_${name}`, text: filled };
      this.#known.set(name, prepared);
    }
    return prepared;
  }
}
