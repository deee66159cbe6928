/** A model that the page offers by name. */
export interface Offer {
  readonly source: string;
  readonly name: string;
  readonly about: string;
  /** Its authors' terms. */
  readonly license: string;
  /** Of the safetensors, all of which are bf16 or f16. */
  readonly downloadBytes: number;
  /** How many weights there are in each part. */
  readonly weights: Readonly<Record<Part, number>>;
  /** Keys and values of one token, in f32. */
  readonly tokenBytes: number;
  /** Those of the images that there is room for, where they have keys of their own. */
  readonly imageBytes?: number;
  /** Tokens that the model was made for. */
  readonly contextLength: number;
}

/** Projectors count as vision, output heads of their own as embedding. */
export type Part = "text" | "vision" | "embedding";

/** The bundled model's folder, as `?model=` and the model field spell it. */
export const SAMPLE = "./models/sample";

const APACHE = "Apache-2.0";
const LFM = "LFM Open License v1.0: not for commercial use by large companies";
const GEMMA = "Gemma Terms of Use, to be accepted on the hub: serve the files from your own folder";
const LLAMA_3_2 =
  "Llama 3.2 Community License, not granted in the European Union, to be accepted on the hub: " +
  "serve the files from your own folder";

/** From small to large. */
export const OFFERS: readonly Offer[] = [
  {
    source: SAMPLE,
    name: "Sample model",
    about: "Simple drawings only: shapes, colors, letters and short words.",
    license: APACHE,
    downloadBytes: 13_020_888,
    weights: { text: 2_951_424, vision: 3_026_112, embedding: 524_288 },
    tokenBytes: 4_096,
    contextLength: 2_048,
  },
  {
    source: "HuggingFaceTB/SmolVLM2-256M-Video-Instruct",
    name: "SmolVLM2 256M",
    about: "Photos, scenes and some text. Quick on most laptops.",
    license: APACHE,
    downloadBytes: 0.51e9,
    weights: { text: 106e6, vision: 93.4e6, embedding: 56.8e6 },
    tokenBytes: 46_080,
    contextLength: 8_192,
  },
  {
    source: "LiquidAI/LFM2-VL-450M",
    name: "LFM2-VL 450M",
    about: "Photos at their own proportions, in few tokens. Quick on most laptops.",
    license: LFM,
    downloadBytes: 0.9e9,
    weights: { text: 287e6, vision: 96.3e6, embedding: 67.1e6 },
    tokenBytes: 25_856,
    contextLength: 128_000,
  },
  {
    source: "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
    name: "SmolVLM2 500M",
    about: "Better at detail, counting and reading. Wants a GPU of its own.",
    license: APACHE,
    downloadBytes: 1.02e9,
    weights: { text: 315e6, vision: 98.1e6, embedding: 94.6e6 },
    tokenBytes: 81_920,
    contextLength: 8_192,
  },
  {
    source: "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
    name: "LLaVA-OneVision 0.5B",
    about: "Looks closely at a single image. Takes its time on large ones.",
    license: APACHE,
    downloadBytes: 1.79e9,
    weights: { text: 358e6, vision: 400e6, embedding: 136e6 },
    tokenBytes: 24_576,
    contextLength: 32_768,
  },
  {
    source: "OpenGVLab/InternVL3-1B-hf",
    name: "InternVL3 1B",
    about: "Good at documents, charts and text in photos.",
    license: "MIT; its Qwen2.5 is Apache-2.0",
    downloadBytes: 1.88e9,
    weights: { text: 358e6, vision: 308e6, embedding: 272e6 },
    tokenBytes: 24_576,
    contextLength: 32_768,
  },
  {
    source: "LiquidAI/LFM2-VL-1.6B",
    name: "LFM2-VL 1.6B",
    about: "Quick for its size, and cuts large images into tiles.",
    license: LFM,
    downloadBytes: 3.17e9,
    weights: { text: 1036e6, vision: 414e6, embedding: 134e6 },
    tokenBytes: 27_136,
    contextLength: 128_000,
  },
  {
    source: "Qwen/Qwen3-VL-2B-Instruct",
    name: "Qwen3-VL 2B",
    about: "Photos, documents and charts, in many languages.",
    license: APACHE,
    downloadBytes: 4.25e9,
    weights: { text: 1409e6, vision: 407e6, embedding: 311e6 },
    tokenBytes: 229_376,
    contextLength: 262_144,
  },
  {
    source: "Qwen/Qwen2-VL-2B-Instruct",
    name: "Qwen2-VL 2B",
    about: "An older Qwen, with room for longer conversations.",
    license: APACHE,
    downloadBytes: 4.42e9,
    weights: { text: 1310e6, vision: 665e6, embedding: 233e6 },
    tokenBytes: 57_344,
    contextLength: 32_768,
  },
  {
    source: "google/paligemma2-3b-mix-224",
    name: "PaliGemma 2 3B",
    about: "Answers in a few words, captions, and finds things. Wants an image each time.",
    license: GEMMA,
    downloadBytes: 6.06e9,
    weights: { text: 2025e6, vision: 415e6, embedding: 593e6 },
    tokenBytes: 212_992,
    contextLength: 8_192,
  },
  {
    source: "Qwen/Qwen2.5-VL-3B-Instruct",
    name: "Qwen2.5-VL 3B",
    about: "Good at documents and small print.",
    license: "Qwen Research License: not for commercial use",
    downloadBytes: 7.51e9,
    weights: { text: 2775e6, vision: 668e6, embedding: 311e6 },
    tokenBytes: 73_728,
    contextLength: 128_000,
  },
  {
    source: "google/gemma-3-4b-it",
    name: "Gemma 3 4B",
    about: "Talks about images, in many languages. Wants a strong GPU.",
    license: GEMMA,
    downloadBytes: 8.6e9,
    weights: { text: 3209e6, vision: 420e6, embedding: 671e6 },
    tokenBytes: 278_528,
    contextLength: 131_072,
  },
  {
    source: "Qwen/Qwen3-VL-4B-Instruct",
    name: "Qwen3-VL 4B",
    about: "The most capable here. Wants a strong GPU.",
    license: APACHE,
    downloadBytes: 8.87e9,
    weights: { text: 3633e6, vision: 415e6, embedding: 389e6 },
    tokenBytes: 294_912,
    contextLength: 262_144,
  },
  {
    source: "llava-hf/llava-1.5-7b-hf",
    name: "LLaVA-1.5 7B",
    about: "The classic of 2023. Large for what it can do.",
    license: "Llama 2 Community License",
    downloadBytes: 14.13e9,
    weights: { text: 6476e6, vision: 324e6, embedding: 263e6 },
    tokenBytes: 1_048_576,
    contextLength: 4_096,
  },
  {
    source: "meta-llama/Llama-3.2-11B-Vision-Instruct",
    name: "Llama 3.2 11B Vision",
    about: "Larger than most devices hold: about 10 GB. Always takes its time with an image.",
    license: LLAMA_3_2,
    downloadBytes: 21.34e9,
    weights: { text: 8724e6, vision: 895e6, embedding: 1051e6 },
    tokenBytes: 262_144,
    imageBytes: 839_385_088,
    contextLength: 131_072,
  },
];

export function offerOf(source: string): Offer | undefined {
  return OFFERS.find((offer) => offer.source === source);
}

/** How a source is called where space is short. */
export function nameOf(source: string): string {
  return offerOf(source)?.name ?? source.replace(/[/\\]+$/, "").replace(/^.*\//, "");
}

/** A question about a bundled image. */
export interface Example {
  readonly image: string;
  readonly alt: string;
  readonly question: string;
}

/** Questions that the sample model answers rightly, and by a wide margin. */
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
