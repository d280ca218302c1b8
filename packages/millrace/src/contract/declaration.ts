/** What Millrace knows about an event or command. */
export interface ContractDeclaration {
  readonly kind: "event" | "command";
  readonly type: string;
  readonly version: number;
  /** The field of the data that is the key; for an event set by its topic, until then empty. */
  readonly key: string;
  /** The topic of an event; undefined for commands, and for events that no topic holds. */
  readonly topic: TopicDeclaration | undefined;
  readonly jsonSchema: Readonly<Record<string, unknown>>;
  /**
   * Data as it is to be stored, with what the schema fills in, trims or drops. Checked: limits, then the schema's own
   * validation, then the wire check that readers will do.
   *
   * @throws {Failure} CONTRACT_REJECTED with the path and reason; PAYLOAD_LIMIT; CONTRACT_INVALID when the schema is asynchronous.
   */
  accept(data: unknown): unknown;
  /**
   * JSON text of accepted data.
   *
   * @throws {Failure} CONTRACT_REJECTED when JSON cannot hold it; PAYLOAD_LIMIT when the text is too large.
   */
  textOf(accepted: unknown): string;
  /**
   * The value of accepted data's key field as text: not empty, at most 512 bytes, no control characters. Numbers become text.
   *
   * @throws {Failure} CONTRACT_REJECTED
   */
  keyOf(data: unknown): string;
  /** The wire check of data that somebody wrote: path and reason, or undefined when it fits. Fills in defaults. */
  check(value: unknown): string | undefined;
}

/** What Millrace knows about a topic. */
export interface TopicDeclaration {
  readonly name: string;
  /** The field that every event's data has, and that decides partition and lane. */
  readonly key: string;
  readonly partitions: number;
  /** Undefined: for ever. */
  readonly retentionMs: number | undefined;
  /** Readable by its own service alone. */
  readonly internal: boolean;
  /** By type. */
  readonly events: ReadonlyMap<string, ContractDeclaration>;
}
