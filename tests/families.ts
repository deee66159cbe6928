/** A folder of `e2e/goldens`, and how the reference's recordings in it differ from our tensors. */
export interface GoldenFamily {
  readonly folder: string;
  /** Recorded tensors that have no counterpart here. */
  readonly unmatched?: readonly string[];
  /** The reference orders the patches of a tile row by row and pads them; ours come in blocks. */
  readonly isPadded?: boolean;
  /** Our row of a vision layer's output that corresponds to the reference's row. */
  readonly ourRow?: (row: number) => number;
}

/** One line for each model family, or variant of one. */
export const GOLDEN_FAMILIES: readonly GoldenFamily[] = [
  { folder: "smolvlm" },
  { folder: "qwen2_vl" },
  { folder: "qwen2_5_vl" },
  { folder: "qwen3_vl" },
  // The connector reads the states before the recorded norm.
  { folder: "llava_onevision", unmatched: ["vision"] },
  // The last layer is computed and not used.
  { folder: "llava", unmatched: ["vision", "vision.2"] },
  { folder: "internvl" },
  // "vision" is padded; "connector_in" has the same states without the padding.
  { folder: "lfm2_vl", unmatched: ["vision"], isPadded: true },
  { folder: "gemma3" },
  { folder: "paligemma" },
  { folder: "paligemma2" },
  {
    folder: "mllama",
    // Other inputs of the reference's tower and decoder; the ranges of keys have tests of their own.
    unmatched: ["aspect_ratio_ids", "aspect_ratio_mask", "cross_attention_mask"],
    // Of 4 tiles each has 17 rows and 7 of padding; here the padding follows all tiles.
    ourRow(row) {
      const [tile, index] = [Math.floor((row % 96) / 24), row % 24];
      return row - (row % 96) + (index < 17 ? tile * 17 + index : 4 * 17 + tile * 7 + index - 17);
    },
  },
];

/** The folders of `GOLDEN_FAMILIES`. */
export const FAMILIES: readonly string[] = GOLDEN_FAMILIES.map(({ folder }) => folder);
