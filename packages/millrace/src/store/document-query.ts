/** A value of an index. Numbers come before texts, texts before absent values (null). */
export type IndexValue = string | number | null;

/** One end of a range. Only values of its own kind, numbers or texts, are within. */
export interface Bound {
  readonly value: string | number;
  readonly inclusive: boolean;
}

/** What an indexed field must be: equal to a value, or within bounds. */
export type FieldCondition =
  | { readonly field: string; readonly equals: IndexValue }
  | { readonly field: string; readonly from?: Bound; readonly to?: Bound };

/** Documents of a type for which all conditions hold; each is on a field that the type's declaration indexes. */
export interface DocumentFilter {
  readonly service: string;
  readonly type: string;
  readonly where: readonly FieldCondition[];
}

/** A page of documents, along the ids or along one index: never sorted, so that a page costs what it holds. */
export interface DocumentQuery extends DocumentFilter {
  /** An indexed field; documents with the same value are in id order. Undefined: by id. */
  readonly order?: { readonly field: string; readonly descending: boolean } | undefined;
  /** The place of the last document of the page before; `value` is that of the field in `order`, else of no account. */
  readonly after?: { readonly value: IndexValue; readonly id: string } | undefined;
  readonly limit: number;
}

/** All commits after `after` that can be seen, by their numbers. */
export interface ChangesQuery {
  readonly service: string;
  readonly type: string;
  readonly after: number;
  readonly limit: number;
}

/** The documents of a type that commits have written or deleted. */
export interface Changes {
  readonly commits: readonly { readonly commit: number; readonly ids: readonly string[] }[];
  /** Changes of all commits after this one are known: who has seen less has missed some. */
  readonly knownAfter: number;
  /** The last commit before which none is under way. Between those after it, others may still be seen later. */
  readonly last: number;
}
