import type { CheckpointFiles } from "../../src/models/model.ts";

export type NamedShape = [name: string, shape: number[]];

/** A checkpoint without the values of its weights. */
export interface CheckpointShape {
  readonly id: string;
  readonly files: CheckpointFiles;
  readonly tensors: readonly (readonly [name: string, shape: number[]])[];
}

/** How much to keep of a published checkpoint. The widths of its layers always stay. */
export interface Cut {
  /** Layers of the text model. */
  readonly layers: number;
  /** Layers of the vision tower. */
  readonly towerLayers: number;
  /** Side in pixels of the tower's input, or of a tile; by default the published one. */
  readonly imageSize?: number;
  /** Tokens of the vocabulary; by default all. */
  readonly vocabulary?: number;
  /** Whether a family's smallest text model takes the place of a wide one, to test a tower alone. */
  readonly hasSmallText?: boolean;
}
