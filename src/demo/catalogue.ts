import type { QuantizationName } from "../index.ts";
import SIZES from "./model-sizes.json";

/** What people say about a model. */
interface Description {
  /** The model field and `?model=` take it. */
  readonly source: string;
  readonly name: string;
  readonly about: string;
  /** The terms of its authors. */
  readonly license: string;
}

/** What `webvlm inspect --json` says about a model. */
export interface Sizes {
  readonly downloadBytes: number;
  /** Total GPU memory by quantization. A new format has no number before the next update. */
  readonly gpuBytes: Readonly<Partial<Record<QuantizationName, number>>>;
}

/** A model that the page offers by name. */
export interface Offer extends Description, Sizes {}

/** The folder of the bundled model. */
export const SAMPLE = "./models/sample";

const APACHE = "Apache-2.0";
const LFM = "LFM Open License v1.0: not for commercial use by large companies";
const GEMMA = "Gemma Terms of Use, to be accepted on the hub: serve the files from your own folder";
const LLAMA_3_2 =
  "Llama 3.2 Community License, not granted in the European Union, to be accepted on the hub: " +
  "serve the files from your own folder";

/** From small to large. */
const DESCRIPTIONS: readonly Description[] = [
  {
    source: SAMPLE,
    name: "Sample model",
    about: "Simple drawings only: shapes, colors, letters and short words.",
    license: APACHE,
  },
  {
    source: "HuggingFaceTB/SmolVLM2-256M-Video-Instruct",
    name: "SmolVLM2 256M",
    about: "Photos, scenes and some text. Quick on most laptops.",
    license: APACHE,
  },
  {
    source: "LiquidAI/LFM2-VL-450M",
    name: "LFM2-VL 450M",
    about: "Photos at their own proportions, in few tokens. Quick on most laptops.",
    license: LFM,
  },
  {
    source: "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
    name: "SmolVLM2 500M",
    about: "Better at detail, counting and reading. Wants a GPU of its own.",
    license: APACHE,
  },
  {
    source: "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
    name: "LLaVA-OneVision 0.5B",
    about: "Looks closely at a single image. Takes its time on large ones.",
    license: APACHE,
  },
  {
    source: "OpenGVLab/InternVL3-1B-hf",
    name: "InternVL3 1B",
    about: "Good at documents, charts and text in photos.",
    license: "MIT; its Qwen2.5 is Apache-2.0",
  },
  {
    source: "OpenGVLab/InternVL3_5-1B-HF",
    name: "InternVL3.5 1B",
    about: "The newer InternVL, with Qwen3. Good at documents and charts.",
    license: APACHE,
  },
  {
    source: "LiquidAI/LFM2-VL-1.6B",
    name: "LFM2-VL 1.6B",
    about: "Quick for its size, and cuts large images into tiles.",
    license: LFM,
  },
  {
    source: "Qwen/Qwen3-VL-2B-Instruct",
    name: "Qwen3-VL 2B",
    about: "Photos, documents and charts, in many languages.",
    license: APACHE,
  },
  {
    source: "Qwen/Qwen2-VL-2B-Instruct",
    name: "Qwen2-VL 2B",
    about: "An older Qwen, with room for longer conversations.",
    license: APACHE,
  },
  {
    source: "google/paligemma2-3b-mix-224",
    name: "PaliGemma 2 3B",
    about: "Answers in a few words, captions, and finds things. Wants an image each time.",
    license: GEMMA,
  },
  {
    source: "Qwen/Qwen2.5-VL-3B-Instruct",
    name: "Qwen2.5-VL 3B",
    about: "Good at documents and small print.",
    license: "Qwen Research License: not for commercial use",
  },
  {
    source: "google/gemma-3-4b-it",
    name: "Gemma 3 4B",
    about: "Talks about images, in many languages. Wants a strong GPU.",
    license: GEMMA,
  },
  {
    source: "Qwen/Qwen3-VL-4B-Instruct",
    name: "Qwen3-VL 4B",
    about: "The most capable here. Wants a strong GPU.",
    license: APACHE,
  },
  {
    source: "llava-hf/llava-1.5-7b-hf",
    name: "LLaVA-1.5 7B",
    about: "The classic of 2023. Large for what it can do.",
    license: "Llama 2 Community License",
  },
  {
    source: "meta-llama/Llama-3.2-11B-Vision-Instruct",
    name: "Llama 3.2 11B Vision",
    about: "Larger than most devices hold: about 10 GB. Always takes its time with an image.",
    license: LLAMA_3_2,
  },
];

const sizes: Readonly<Record<string, Sizes>> = SIZES;

export const OFFERS: readonly Offer[] = DESCRIPTIONS.map((description) => ({
  ...description,
  ...(sizes[description.source] as Sizes),
}));

export function offerOf(source: string): Offer | undefined {
  return OFFERS.find((offer) => offer.source === source);
}

/** @returns a short name of a model, for display */
export function nameOf(source: string): string {
  return offerOf(source)?.name ?? source.replace(/[/\\]+$/, "").replace(/^.*\//, "");
}

/** A question about a bundled image. */
export interface Example {
  readonly image: string;
  readonly alt: string;
  readonly question: string;
}

/** Questions that the sample model answers correctly, with a wide margin. */
export const EXAMPLES: readonly Example[] = [
  { image: "red-circle.png", alt: "A red circle", question: "What's in this image?" },
  {
    image: "circle-and-star.png",
    alt: "A red circle and a small blue star",
    question: "What color is the star?",
  },
  {
    image: "four-shapes.png",
    alt: "A triangle, a heart, a square and a moon",
    question: "Where is the moon?",
  },
  {
    image: "night.png",
    alt: "A yellow moon and a small white star on black",
    question: "Describe the picture.",
  },
  { image: "word-cat.png", alt: "The word CAT in green", question: "What does it say?" },
  { image: "letter-b.png", alt: "The letter B in blue", question: "What letter is this?" },
  { image: "digit-7.png", alt: "The digit 7 in red", question: "What is in this image?" },
  { image: "landscape.png", alt: "Hills under clouds", question: "What's in this image?" },
];
