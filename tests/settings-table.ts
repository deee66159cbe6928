import type { CheckpointFiles } from "../src/models/model.ts";

/** A line of e2e/goldens/mutations.json: a golden folder with one setting changed, and what came. */
export interface ChangedSetting {
  readonly id: number;
  readonly family: string;
  readonly file: string;
  /** Values by path within the file. */
  readonly set?: Readonly<Record<string, unknown>>;
  readonly remove?: readonly string[];
  /** The reference's error; then the fields below are absent. */
  readonly refuses?: string;
  readonly prompt_tokens: number;
  readonly output_ids: readonly number[];
  /** Whether prompt, answer and logits are those of the unchanged folder. */
  readonly same: boolean;
}

/** The path of the table in the repository. */
export const SETTINGS_TABLE = "e2e/goldens/mutations.json";

/** The files of a folder with one setting changed. */
export function changed(
  files: CheckpointFiles,
  { file, set = {}, remove = [] }: Pick<ChangedSetting, "file" | "set" | "remove">,
): CheckpointFiles {
  const config = structuredClone(files[file] ?? {}) as Record<string, unknown>;
  const parentOf = (path: string) => {
    const parents = path.split(".");
    const name = parents.pop() as string;
    let part = config;
    for (const parent of parents) part = (part[parent] ??= {}) as Record<string, unknown>;
    return { part, name };
  };
  for (const [path, value] of Object.entries(set)) {
    const { part, name } = parentOf(path);
    part[name] = value;
  }
  for (const path of remove) {
    const { part, name } = parentOf(path);
    delete part[name];
  }
  return { ...files, [file]: config };
}
