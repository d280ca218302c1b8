/** Who listens. What one of them throws does not keep the others from hearing. */
export class Ears<Said> {
  readonly #heard = new Set<(said: Said) => void>();

  /** Returns how to stop listening. */
  add(heard: (said: Said) => void): () => void {
    this.#heard.add(heard);
    return () => void this.#heard.delete(heard);
  }

  tell(said: Said): void {
    for (const heard of [...this.#heard]) heard(said);
  }
}
