import type { CheckpointFiles, Family, Model, ModelOptions } from "./model.ts";
import { checkUnread } from "./unread-fields.ts";

/** A model family that runs here. */
export interface RegisteredFamily {
  /** The name that the documentation uses. */
  readonly name: string;
  /** The values of `model_type` in config.json. */
  readonly modelTypes: readonly string[];
  readonly create: Family;
}

/**
 * Creates the model of a checkpoint from its JSON files.
 *
 * @throws Error naming the file and the field that is wrong or not supported
 */
export type CreateModel = (files: CheckpointFiles, options?: ModelOptions) => Model;

/** @returns the family of a checkpoint, if it is among `families` */
export function findFamily(
  families: readonly RegisteredFamily[],
  files: CheckpointFiles,
): RegisteredFamily | undefined {
  const { model_type } = (files["config.json"] ?? {}) as { model_type?: unknown };
  return families.find(({ modelTypes }) => modelTypes.some((type) => type === model_type));
}

/** As `CreateModel`, for a known family. */
export function createModelOf(
  { create }: RegisteredFamily,
  files: CheckpointFiles,
  options?: ModelOptions,
): Model {
  checkUnread(files);
  return create(files, options);
}
