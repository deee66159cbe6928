import { gemma3Processor } from "../src/models/gemma3-processor.ts";
import { internvlProcessor } from "../src/models/internvl-processor.ts";
import { lfm2VlProcessor } from "../src/models/lfm2-vl-processor.ts";
import { onevisionProcessor } from "../src/models/llava-onevision-processor.ts";
import { llavaProcessor } from "../src/models/llava-processor.ts";
import { mllamaProcessor } from "../src/models/mllama-processor.ts";
import type { CheckpointFiles, ImageProcessor, ModelOptions } from "../src/models/model.ts";
import { paligemmaProcessor } from "../src/models/paligemma-processor.ts";
import { qwenVlProcessor } from "../src/models/qwen-vl-processor.ts";
import { smolvlmProcessor } from "../src/models/smolvlm-processor.ts";
import {
  type Reference,
  internvlReference,
  lfm2VlReference,
  llavaReference,
  mllamaReference,
  onevisionReference,
  qwenVlReference,
  smolvlmReference,
} from "./reference.ts";
import type { CheckpointShape, Cut } from "./shapes/checkpoint-shape.ts";
import { gemma3of4b } from "./shapes/gemma.ts";
import { lfm2Vl } from "./shapes/lfm2.ts";
import {
  internvl3of1b,
  internvl3of38b,
  llava15of7b,
  llavaOnevision05b,
  paligemma3b,
} from "./shapes/llava.ts";
import { llama32of11b } from "./shapes/mllama.ts";
import { qwen25Vl3b } from "./shapes/qwen.ts";
import { smolvlm256m, smolvlm500m } from "./shapes/smolvlm.ts";

export type MakeProcessor = (files: CheckpointFiles, options?: ModelOptions) => ImageProcessor;

/** Published image settings, under their name in `e2e/goldens/preprocess`. */
interface Published {
  /**
   * The fields of the published config.json that the processor reads. Absent where the tests of
   * the family's own processor cover the settings.
   */
  readonly config?: object;
  /** The token of an image row, where the chat template's placeholder is another one. */
  readonly token?: string;
}

/** An image, and the rows of the prompt that it takes. */
interface ShapeImage {
  readonly size: readonly [width: number, height: number];
  /** By default "auto". */
  readonly detail?: "low";
  readonly tokens: number;
}

/** A published checkpoint's shapes, which the tests fill with random weights. */
export interface PublishedShape {
  readonly name: string;
  make(cut: Cut): CheckpointShape;
  readonly cut: Cut;
  /** Of the published image size. Its plans are not run, for a software adapter takes minutes. */
  readonly image: ShapeImage;
  /** Of a smaller image size, with which the plans are run. */
  readonly small: ShapeImage & Pick<Cut, "imageSize" | "hasSmallText">;
  /** By default 64 more than the tokens of the image. */
  readonly contextLength?: number;
  /** What the engine must say of images whose states are cross-attention keys. */
  readonly crossAttention?: {
    readonly maxImages: number;
    readonly states: readonly (readonly [rows: number, width: number])[];
  };
  /** What the benchmark runs: as many layers, and this image. */
  readonly bench?: {
    readonly cut: Cut;
    readonly image: readonly [width: number, height: number, detail: "low" | "high"];
  };
}

/** What the tests know about a model family. */
export interface TestedFamily {
  readonly modelType: string;
  readonly processor: MakeProcessor;
  /** Folders of `e2e/goldens`: tiny checkpoints, each with its names in all published layouts. */
  readonly folders: readonly string[];
  /** Folders with more tiny checkpoints, in one layout. */
  readonly variants?: readonly string[];
  /** Folders with tiny checkpoints in a further published layout, and with few recorded cases. */
  readonly layouts?: readonly string[];
  readonly reference?: Reference;
  readonly published: Readonly<Record<string, Published>>;
  readonly shapes?: readonly PublishedShape[];
  /** Published checkpoints with all of their layers, by their repositories on the hub. */
  readonly whole?: Readonly<Record<string, () => CheckpointShape>>;
}

const ONE_LAYER = { layers: 1, towerLayers: 1 };
const TWO_LAYERS = { layers: 2, towerLayers: 2 };
const BENCH = { cut: TWO_LAYERS, image: [512, 512, "low"] } as const;

/** All model families, one row each. */
export const FAMILIES: readonly TestedFamily[] = [
  {
    modelType: "smolvlm",
    processor: smolvlmProcessor,
    folders: ["smolvlm"],
    variants: ["smolvlm-tiles"],
    reference: smolvlmReference,
    published: { "smolvlm-256m-500m": {}, "smolvlm-256m-500m-one-tile": {}, "smolvlm-2.2b": {} },
    shapes: [
      {
        name: "SmolVLM-256M",
        make: smolvlm256m,
        cut: ONE_LAYER,
        image: { size: [512, 512], detail: "low", tokens: 64 },
        small: { imageSize: 128, size: [100, 100], detail: "low", tokens: 4 },
        bench: { ...BENCH, cut: { layers: 30, towerLayers: 12 } },
      },
    ],
    whole: {
      "HuggingFaceTB/SmolVLM2-256M-Video-Instruct": () =>
        smolvlm256m({ layers: 30, towerLayers: 12 }),
      "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": () =>
        smolvlm500m({ layers: 32, towerLayers: 12 }),
    },
  },
  {
    modelType: "qwen2_vl",
    processor: qwenVlProcessor,
    folders: ["qwen2_vl"],
    reference: qwenVlReference,
    published: { qwen2_vl: {} },
  },
  {
    modelType: "qwen2_5_vl",
    processor: qwenVlProcessor,
    folders: ["qwen2_5_vl"],
    layouts: ["qwen2_5_vl-published"],
    reference: qwenVlReference,
    published: { qwen2_5_vl: {} },
    shapes: [
      {
        name: "Qwen2.5-VL-3B",
        make: qwen25Vl3b,
        cut: { layers: 1, towerLayers: 2 },
        image: { size: [588, 504], tokens: 378 },
        // 10 x 12 patches: both edges cut windows off, and idle rows follow.
        small: { size: [140, 56], tokens: 10 },
        bench: { cut: TWO_LAYERS, image: [588, 504, "high"] },
      },
    ],
    whole: {
      "Qwen/Qwen2.5-VL-3B-Instruct": () => qwen25Vl3b({ layers: 36, towerLayers: 32 }),
    },
  },
  {
    modelType: "qwen3_vl",
    processor: qwenVlProcessor,
    folders: ["qwen3_vl"],
    layouts: ["qwen3_vl-yarn"],
    reference: qwenVlReference,
    published: { qwen3_vl: {} },
  },
  {
    modelType: "llava_onevision",
    processor: onevisionProcessor,
    folders: ["llava_onevision"],
    layouts: ["llava_onevision-published"],
    reference: onevisionReference,
    published: { llava_onevision: { config: { vision_config: { patch_size: 14 } } } },
    shapes: [
      {
        name: "LLaVA-OneVision-0.5B",
        make: llavaOnevision05b,
        cut: ONE_LAYER,
        // The whole image is followed by the 36 tiles of the largest canvas, shrunk to about nine.
        image: { size: [2304, 2304], tokens: 7371 },
        small: { imageSize: 56, size: [50, 40], tokens: 36 },
        bench: BENCH,
      },
    ],
    whole: {
      "llava-hf/llava-onevision-qwen2-0.5b-ov-hf": () =>
        llavaOnevision05b({ layers: 24, towerLayers: 26 }),
    },
  },
  {
    modelType: "llava",
    processor: llavaProcessor,
    folders: ["llava"],
    layouts: ["llava-resaved"],
    reference: llavaReference,
    published: { llava: { config: { vision_config: { patch_size: 14 } } } },
    shapes: [
      {
        name: "LLaVA-1.5-7B",
        make: llava15of7b,
        cut: { layers: 1, towerLayers: 2 },
        image: { size: [400, 300], tokens: 576 },
        small: { imageSize: 42, size: [400, 300], tokens: 9 },
        bench: { ...BENCH, cut: { layers: 2, towerLayers: 3 } },
      },
    ],
    whole: {
      "llava-hf/llava-1.5-7b-hf": () => llava15of7b({ layers: 32, towerLayers: 24 }),
    },
  },
  {
    modelType: "internvl",
    processor: internvlProcessor,
    folders: ["internvl"],
    layouts: ["internvl-resaved", "internvl-6b", "internvl3_5"],
    reference: internvlReference,
    published: { internvl: { config: { vision_config: { patch_size: [14, 14] } } } },
    shapes: [
      {
        name: "InternVL3-1B",
        make: internvl3of1b,
        cut: ONE_LAYER,
        image: { size: [300, 300], tokens: 256 },
        small: { imageSize: 112, size: [100, 100], tokens: 16 },
        bench: BENCH,
      },
      {
        name: "InternVL3-38B",
        make: internvl3of38b,
        cut: ONE_LAYER,
        image: { size: [300, 300], tokens: 256 },
        small: { imageSize: 28, hasSmallText: true, size: [28, 28], tokens: 1 },
      },
    ],
    whole: {
      "OpenGVLab/InternVL3-1B-hf": () => internvl3of1b({ layers: 24, towerLayers: 24 }),
    },
  },
  {
    modelType: "lfm2_vl",
    processor: lfm2VlProcessor,
    folders: ["lfm2_vl"],
    reference: lfm2VlReference,
    published: { lfm2_vl: {} },
    // Two layers that convolve, and one that attends.
    shapes: [
      {
        name: "LFM2-VL-450M",
        make: (cut) => lfm2Vl("450M", cut),
        cut: { layers: 3, towerLayers: 1 },
        image: { size: [700, 500], tokens: 234 },
        small: { imageSize: 128, size: [128, 128], tokens: 16 },
        bench: { ...BENCH, cut: { layers: 3, towerLayers: 2 } },
      },
      {
        name: "LFM2-VL-1.6B",
        make: (cut) => lfm2Vl("1.6B", cut),
        cut: { layers: 3, towerLayers: 1 },
        image: { size: [512, 512], tokens: 256 },
        small: { imageSize: 128, size: [128, 128], tokens: 16 },
      },
    ],
    whole: {
      "LiquidAI/LFM2-VL-450M": () => lfm2Vl("450M", { layers: 16, towerLayers: 12 }),
      "LiquidAI/LFM2-VL-1.6B": () => lfm2Vl("1.6B", { layers: 16, towerLayers: 26 }),
    },
  },
  {
    modelType: "gemma3",
    processor: gemma3Processor,
    folders: ["gemma3"],
    layouts: ["gemma3-resaved"],
    published: {
      gemma3: {
        config: { vision_config: { image_size: 896, patch_size: 14 } },
        token: "<image_soft_token>",
      },
      "gemma3-pan-and-scan": {},
    },
    shapes: [
      {
        name: "Gemma 3 4B",
        make: gemma3of4b,
        cut: ONE_LAYER,
        image: { size: [300, 200], tokens: 256 },
        small: { imageSize: 112, size: [300, 200], tokens: 4 },
        contextLength: 4096,
        bench: { ...BENCH, cut: { layers: 2, towerLayers: 1 } },
      },
    ],
    whole: {
      "google/gemma-3-4b-it": () => gemma3of4b({ layers: 34, towerLayers: 27 }),
    },
  },
  {
    modelType: "paligemma",
    processor: paligemmaProcessor,
    folders: ["paligemma", "paligemma2"],
    published: { paligemma: { config: { vision_config: { patch_size: 14 } } } },
    shapes: [
      {
        name: "PaliGemma-3B",
        make: paligemma3b,
        cut: ONE_LAYER,
        image: { size: [300, 300], tokens: 256 },
        small: { imageSize: 42, size: [100, 100], tokens: 9 },
        bench: BENCH,
      },
    ],
  },
  {
    modelType: "mllama",
    processor: mllamaProcessor,
    folders: ["mllama"],
    reference: mllamaReference,
    published: { mllama: {} },
    shapes: [
      {
        name: "Llama-3.2-11B",
        make: llama32of11b,
        cut: { layers: 2, towerLayers: 1 },
        image: { size: [1120, 560], tokens: 1 },
        small: { imageSize: 56, size: [100, 50], tokens: 1 },
        // Five images, in bindings of 128 MiB.
        crossAttention: { maxImages: 5, states: new Array(2).fill([5 * 6404, 1024]) },
        // Small tiles: a pass over published ones has 6432 patch rows, whatever the image.
        bench: { ...BENCH, cut: { layers: 2, towerLayers: 1, imageSize: 224 } },
      },
    ],
    whole: {
      "meta-llama/Llama-3.2-11B-Vision-Instruct": () =>
        llama32of11b({
          layers: 40,
          towerLayers: 32,
          globalLayers: 8,
          cross: [3, 8, 13, 18, 23, 28, 33, 38],
        }),
    },
  },
];

/** The folders of tiny checkpoints that have their names in all published layouts. */
export const FOLDERS: readonly string[] = FAMILIES.flatMap(({ folders }) => folders);

/** The folders of tiny checkpoints in further published layouts. */
export const LAYOUT_FOLDERS: readonly string[] = FAMILIES.flatMap(({ layouts }) => layouts ?? []);

/** The published shapes of all families. */
export const SHAPES: readonly PublishedShape[] = FAMILIES.flatMap(({ shapes }) => shapes ?? []);

/** Published checkpoints of all families with all of their layers, by their repositories on the hub. */
export const WHOLE_MODELS: Readonly<Record<string, () => CheckpointShape>> = Object.assign(
  {},
  ...FAMILIES.map(({ whole }) => whole),
);
