import type { CheckpointFiles, ImageLayout, ImageProcessor } from "../src/models/model.ts";
import { readCheckpoint, readJson } from "./chat-support.ts";

const GOLDENS = "e2e/goldens";

/** One line of preprocess/cases.json, of a family that keeps its tiles in one piece. */
export interface PublishedCase {
  readonly family: string;
  readonly image: string;
  readonly width: number;
  readonly height: number;
  readonly image_token_count: number;
  /** `[..., tiles, 3, height, width]` */
  readonly shape: readonly number[];
}

interface Part {
  readonly type: string;
  readonly image_url?: { readonly url: string };
}

/** One line of a checkpoint's cases.json. */
export interface CheckpointCase {
  readonly name: string;
  readonly messages: readonly { readonly content: string | readonly Part[] }[];
  readonly prompt: string;
  readonly image_token_count: number;
  readonly pixel_values_shape?: readonly number[];
}

interface Image {
  readonly file: string;
  readonly upright_width: number;
  readonly upright_height: number;
}

const IMAGES = new Map(
  (readJson(`${GOLDENS}/images.json`) as Image[]).map((image) => [image.file, image]),
);

/** A family's published image settings. */
export function publishedSettings(family: string): CheckpointFiles {
  const settings = readJson(`${GOLDENS}/preprocess/settings.json`) as Record<
    string,
    { readonly preprocessor_config: unknown }
  >;
  return { "preprocessor_config.json": settings[family]?.preprocessor_config };
}

export function publishedCases(family: string): readonly PublishedCase[] {
  const cases = readJson(`${GOLDENS}/preprocess/cases.json`) as readonly PublishedCase[];
  return cases.filter((golden) => golden.family === family);
}

/** The files of a checkpoint that processors read. */
export function checkpointFiles(folder: string): CheckpointFiles {
  const names = [
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
  ];
  const files = readCheckpoint(`${GOLDENS}/${folder}`);
  return Object.fromEntries(names.map((name) => [name, files[name]]));
}

export function checkpointCases(folder: string): readonly CheckpointCase[] {
  return readJson(`${GOLDENS}/${folder}/cases.json`) as readonly CheckpointCase[];
}

/** Lays a conversation's images out. */
export function layoutsOf(
  { messages }: Pick<CheckpointCase, "messages">,
  processor: ImageProcessor,
): ImageLayout[] {
  const files = messages
    .flatMap(({ content }) => (typeof content === "string" ? [] : content))
    .flatMap(({ image_url }) => (image_url ? [image_url.url.replace("images/", "")] : []));
  return files.map((file) => {
    const { upright_width, upright_height } = IMAGES.get(file) as Image;
    return processor.layout(upright_width, upright_height, "auto", files.length);
  });
}
