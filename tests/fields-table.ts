import { readJson } from "./chat-support.ts";
import type { FieldChange } from "./watched-files.ts";

/** What the reference did: the same, an error, or another answer, perhaps to another prompt. */
export type FieldOutcome =
  "same" | "refuses" | { readonly ids: readonly number[]; readonly prompt?: readonly number[] };

/** A row of e2e/goldens/fields.json: a field of a golden folder with another value, or left out. */
export interface FieldRow extends FieldChange {
  readonly outcome: FieldOutcome;
}

type Row =
  | readonly [field: string, outcome: FieldOutcome]
  | readonly [field: string, value: unknown, outcome: FieldOutcome];

const TABLE = readJson("e2e/goldens/fields.json") as Readonly<
  Record<string, Readonly<Record<string, readonly Row[]>>>
>;

/** The families of the table. */
export const FIELD_FAMILIES = Object.keys(TABLE);

/** The rows of a family. */
export function fieldRows(family: string): readonly FieldRow[] {
  return Object.entries(TABLE[family] ?? {}).flatMap(([file, rows]) =>
    rows.map((row) =>
      row.length === 2
        ? { file, field: row[0], outcome: row[1] }
        : { file, field: row[0], value: row[1], outcome: row[2] },
    ),
  );
}
