import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";

/** A schema of data that Millrace makes itself, written as JSON Schema: what is written is taken as it is, what is read is checked. */
export function plainSchema<T>(jsonSchema: Readonly<Record<string, unknown>>): StandardSchemaV1<T, T> {
  const convert = (): Record<string, unknown> => ({ ...jsonSchema });
  const standard: StandardSchemaV1.Props<T, T> & Pick<StandardJSONSchemaV1.Props<T, T>, "jsonSchema"> = {
    version: 1,
    vendor: "millrace",
    validate: (value) => ({ value: value as T }),
    jsonSchema: { input: convert, output: convert },
  };
  return { "~standard": standard };
}
