/** Options that every command has which asks about an app. */
export interface CommonOptions {
  /** The engine's folder. */
  readonly dir: string;
  readonly output: string;
  /** False with --no-input. */
  readonly input: boolean;
  /** How long the process may take to answer. */
  readonly timeout: string;
}
