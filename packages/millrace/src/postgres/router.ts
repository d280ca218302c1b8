import { outside } from "../log/log.js";
import type { Unit } from "../store/unit.js";
import type { Place, Places } from "./places.js";
import type { Topics } from "./topics.js";

/** Tells to which service a unit belongs: to that of its claim; where the claim has none, to that of its effects. */
export class Router {
  readonly #places: Places;
  readonly #topics: Topics;

  constructor(places: Places, topics: Topics) {
    this.#places = places;
    this.#topics = topics;
  }

  /** The place that a row's number belongs to; undefined when there is none, and so no such row. */
  numbered(row: number): Place | undefined | Promise<Place | undefined> {
    return this.#places.numbered(row);
  }

  /** The place of a unit. Of rows that no service has, any will do: their claims are refused. */
  async placeOf(unit: Unit): Promise<Place> {
    const { claim } = unit;
    switch (claim.type) {
      case "record":
      case "lane-entry":
        return this.#of(claim.position.id);
      case "records":
        return this.#of(claim.parts[0]?.position.id ?? 0);
      case "timer":
        return this.#of(claim.timer);
      case "tick":
        return this.#ready(claim.service);
      case "operation":
      case "publish":
        return this.#ready(await this.#serviceOf(unit));
    }
  }

  async #of(row: number): Promise<Place> {
    const place = await this.#places.numbered(row);
    return this.#ready(place?.service ?? outside);
  }

  #ready(service: string): Place | Promise<Place> {
    return this.#places.ready(service) ?? this.#places.of(service);
  }

  async #serviceOf({ reads, stream, effects }: Unit): Promise<string> {
    const { records, documents, timers, cancels } = effects;
    const topic = stream?.topic ?? records?.[0]?.topic;
    if (topic !== undefined) {
      const shape = this.#topics.get(topic) ?? (await this.#topics.find(topic));
      if (shape !== undefined) return shape.owner;
    }
    const of = documents?.[0] ?? timers?.[0] ?? cancels?.[0] ?? reads[0];
    return of?.service ?? outside;
  }
}
