import type { ElementType, WeightFormat } from "../format.ts";
import { bf16 } from "./bf16.ts";
import { f16 } from "./f16.ts";
import { f32 } from "./f32.ts";
import { q4 } from "./q4.ts";
import { q6 } from "./q6.ts";
import { q8 } from "./q8.ts";

/** Formats that users can ask for, the widest first. */
const QUANTIZATION_FORMATS = [f32, f16, q8, q6, q4] as const;

/** Formats in which matrices stay only if the checkpoint stores them so. */
const STORED_FORMATS = [bf16] as const;

export const WEIGHT_FORMATS = [...QUANTIZATION_FORMATS, ...STORED_FORMATS] as const;

export type FormatName = (typeof WEIGHT_FORMATS)[number]["name"];

/** The values of the `quantization` option: a format, or "auto", which takes as many bits as fit the device. */
export const QUANTIZATIONS = [...QUANTIZATION_FORMATS.map(({ name }) => name), "auto"] as const;
export type QuantizationName = (typeof QUANTIZATIONS)[number];

/** What each value of the `quantization` option means, in a few words. */
export const QUANTIZATION_SUMMARIES = {
  ...Object.fromEntries(QUANTIZATION_FORMATS.map(({ name, summary }) => [name, summary])),
  auto: "as many bits as fit this device",
} as Readonly<Record<QuantizationName, string>>;

/** A format whose one part is a tensor of the checkpoint, byte for byte. */
export type ElementFormat = WeightFormat & { readonly elements: ElementType };

/** Formats that are one tensor of a checkpoint, by the tensor's element type. */
export const ELEMENT_FORMATS: ReadonlyMap<string, ElementFormat> = new Map(
  (WEIGHT_FORMATS as readonly WeightFormat[])
    .filter((format): format is ElementFormat => format.elements !== undefined)
    .map((format) => [format.elements.dtype, format]),
);
