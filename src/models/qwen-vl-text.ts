import { type LlamaDefaults, llamaConfig } from "./llama-config.ts";
import { llamaDecoder } from "./llama.ts";
import type {
  CheckpointFiles,
  ImageLayout,
  Model,
  ModelOptions,
  PromptPositions,
} from "./model.ts";
import { qwenVlProcessor } from "./qwen-vl-processor.ts";
import type { Mrope } from "./rope-settings.ts";
import { LANGUAGE_HEAD, type Rewrite, storedNames } from "./stored-names.ts";

/** What differs between the text classes of Qwen-VL in transformers. */
interface QwenDecoder {
  /** Without the sizes, which must be in config.json. */
  readonly defaults: LlamaDefaults;
  readonly mrope: Mrope;
}

/** Qwen2-VL's and Qwen2.5-VL's. */
export const QWEN2: QwenDecoder = {
  defaults: {
    model_type: "qwen2_vl_text",
    rms_norm_eps: 1e-5,
    max_position_embeddings: 32_768,
    rope_theta: 1_000_000,
  },
  mrope: { section: [16, 24, 24], isInterleaved: false },
};

/** Qwen3-VL's. */
export const QWEN3: QwenDecoder = {
  defaults: {
    model_type: "qwen3_vl_text",
    head_dim: 128,
    rms_norm_eps: 1e-6,
    max_position_embeddings: 128_000,
    rope_theta: 500_000,
  },
  mrope: { section: [24, 20, 20], isInterleaved: true },
};

/** What the families of Qwen-VL share: everything but the vision tower. */
export type QwenBase = Omit<Model, "imageStates" | "visionPass" | "vision">;

/**
 * Qwen2 (arXiv 2407.10671) or Qwen3 (arXiv 2505.09388) with M-RoPE.
 *
 * @param merge patches that become one image row, by height and by width
 * @throws Error naming the file and the field that is wrong
 */
export function qwenBase(
  files: CheckpointFiles,
  options: ModelOptions | undefined,
  merge: number,
  { defaults, mrope }: QwenDecoder,
): QwenBase {
  const processor = qwenVlProcessor(files, options);
  const { imageTokenId } = processor;
  return {
    ...llamaDecoder(llamaConfig(withTextConfig(files), defaults, mrope), "model.language_model"),
    processor,
    patchesPerRow: merge ** 2,
    storedNames: qwenNames,
    promptPositions: (ids, images) => mropePositions(ids, images, imageTokenId, merge),
  };
}

/** Early config.json files have the fields of `text_config` at the top level. */
function withTextConfig(files: CheckpointFiles): CheckpointFiles {
  const config = files["config.json"] as object;
  if ("text_config" in config) return files;
  return { ...files, "config.json": { ...config, text_config: config } };
}

/**
 * M-RoPE's positions (arXiv 2409.12191 §3.1): a text token advances all three positions by one. The
 * tokens of an image share one temporal position, from which height and width are counted.
 */
function mropePositions(
  ids: readonly number[],
  images: readonly ImageLayout[],
  imageTokenId: number,
  merge: number,
): PromptPositions {
  const positions = new Uint32Array(ids.length * 3);
  let next = 0;
  let image = 0;
  for (let i = 0; i < ids.length;) {
    const layout = ids[i] === imageTokenId ? images[image++] : undefined;
    if (!layout) {
      positions.fill(next++, 3 * i, 3 * i + 3);
      i++;
      continue;
    }
    const [height, width] = layout.grid.map((patches) => patches / merge) as [number, number];
    for (let row = 0; row < height * width; row++, i++) {
      positions.set([next, next + Math.floor(row / width), next + (row % width)], 3 * i);
    }
    next += Math.max(height, width);
  }
  return { positions, offset: next - ids.length };
}

const REWRITES: readonly Rewrite[] = [
  // MLX's names.
  [/^model\.language_model\./, "language_model.model."],
  [/^model\.visual\./, "vision_tower."],
  LANGUAGE_HEAD,
  [/^model\.language_model\./, "model."],
  [/^model\.(language_model|visual)\./, "$1."],
];

function qwenNames(name: string): readonly string[] {
  return storedNames(name, REWRITES);
}
