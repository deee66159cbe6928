import * as z from "zod/mini";
import { parse } from "./config.ts";
import {
  type Llama3Scaling,
  type RopeSettings,
  type YarnScaling,
  inverseFrequencies,
  llama3Frequencies,
  yarnFrequencies,
  yarnScoreFactor,
} from "./rope.ts";

const Positive = z.number().check(z.positive());

/** What all types of scaling have in common; early files write `type` for `rope_type`. */
const Parameters = z.looseObject({
  rope_type: z.nullish(z.string()),
  type: z.nullish(z.string()),
  rope_theta: z.nullish(z.number()),
  mrope_section: z.nullish(z.array(z.int())),
  partial_rotary_factor: z.nullish(z.number()),
});

const Linear = z.object({ factor: Positive });

const Llama3 = z.object({
  factor: Positive,
  low_freq_factor: Positive,
  high_freq_factor: Positive,
  original_max_position_embeddings: Positive,
}) satisfies z.ZodMiniType<Llama3Scaling>;

const nullish = z.nullish(z.number());

const Yarn = z.object({
  factor: Positive,
  original_max_position_embeddings: Positive,
  beta_fast: nullish,
  beta_slow: nullish,
  truncate: z.nullish(z.boolean()),
  attention_factor: nullish,
  mscale: nullish,
  mscale_all_dim: nullish,
}) satisfies z.ZodMiniType<YarnScaling>;

/**
 * The fields of a decoder's config that `ropeSettings` reads.
 *
 * @param theta the transformers class's default of `rope_theta`
 */
export function ropeFields(theta: number) {
  return {
    rope_theta: z._default(z.number(), theta),
    /** Written by transformers 4. */
    rope_scaling: z.nullish(Parameters),
    /** Written by transformers 5, with `rope_theta` inside. */
    rope_parameters: z.nullish(Parameters),
    partial_rotary_factor: z.nullish(z.number()),
  };
}

/** The output of a schema with `ropeFields`. */
interface RopeConfig {
  readonly rope_theta: number;
  readonly rope_scaling?: z.output<typeof Parameters> | null | undefined;
  readonly rope_parameters?: z.output<typeof Parameters> | null | undefined;
  /** The default of `original_max_position_embeddings`. */
  readonly max_position_embeddings?: number;
  readonly partial_rotary_factor?: number | null | undefined;
}

/** M-RoPE, which is a matter of the decoder's class. */
export interface Mrope {
  /** The default of `mrope_section`. */
  readonly section: readonly number[];
  /** Whether height and width take every third channel pair, or one run each. */
  readonly isInterleaved: boolean;
}

/** What one `rope_type` changes; `name` is where `parameters` are from. */
interface Scaling {
  /** @returns `[C / 2]` */
  frequencies(plain: number[], parameters: object, name: string, theta: number): number[];
  /** Default 1. */
  scoreFactor?(parameters: object, name: string): number;
}

const unscaled: Scaling = { frequencies: (plain) => plain };

/** By `rope_type`. */
const SCALINGS: Readonly<Record<string, Scaling>> = {
  default: unscaled,
  /** M-RoPE, which chooses a position and scales nothing. */
  mrope: unscaled,
  /** Scales only beyond `max_position_embeddings`, and no context is longer than that. */
  dynamic: { frequencies: (plain) => plain },
  /** Position interpolation (arXiv 2306.15595). */
  linear: {
    frequencies(plain, parameters, name) {
      const { factor } = parse(Linear, parameters, name);
      return plain.map((frequency) => frequency / factor);
    },
  },
  llama3: {
    frequencies: (plain, parameters, name) =>
      llama3Frequencies(plain, parse(Llama3, parameters, name)),
  },
  yarn: {
    frequencies: (plain, parameters, name, theta) =>
      yarnFrequencies(plain, theta, parse(Yarn, parameters, name)),
    scoreFactor: (parameters, name) => yarnScoreFactor(parse(Yarn, parameters, name)),
  },
};

/**
 * Reads how a decoder rotates queries and keys.
 *
 * @param config output of a schema with `ropeFields`
 * @param C channels of a head
 * @param name path of `config` within config.json
 * @param mrope of decoders whose tokens have three positions
 * @throws Error naming a `rope_type` that is not supported, or a missing or wrong setting of one
 */
export function ropeSettings(
  {
    rope_theta,
    rope_scaling,
    rope_parameters,
    max_position_embeddings,
    partial_rotary_factor,
  }: RopeConfig,
  C: number,
  name = "text_config",
  mrope?: Mrope,
): RopeSettings {
  // As in transformers, the older field takes the place of the newer one where a file has both.
  const field = Object.keys(rope_scaling ?? {}).length > 0 ? "rope_scaling" : "rope_parameters";
  const parameters = {
    ...(max_position_embeddings && { original_max_position_embeddings: max_position_embeddings }),
    ...(field === "rope_scaling" ? rope_scaling : rope_parameters),
  };
  const type = parameters.rope_type ?? parameters.type ?? "default";
  const scaling = SCALINGS[type];
  if (!scaling) {
    const known = Object.keys(SCALINGS).join(", ");
    throw new Error(`config.json: ${name}.${field}: rope_type is ${type}, supported: ${known}`);
  }
  // The default type does not read it in these classes; the others rotate a part of each head.
  const rotated = parameters.partial_rotary_factor ?? partial_rotary_factor ?? 1;
  if (scaling !== unscaled && rotated !== 1) {
    throw new Error(`config.json: ${name}.partial_rotary_factor is ${rotated}, expected 1`);
  }
  const theta = parameters.rope_theta ?? rope_theta;
  const path = `config.json: ${name}.${field}`;
  return {
    frequencies: scaling.frequencies(inverseFrequencies(theta, C), parameters, path, theta),
    scoreFactor: scaling.scoreFactor?.(parameters, path) ?? 1,
    axes: mrope
      ? axesOf(parameters.mrope_section ?? mrope.section, mrope.isInterleaved, C / 2, name)
      : new Array<number>(C / 2).fill(0),
  };
}

/**
 * @param sections channel pairs that rotate by the temporal position, the height and the width
 * @returns `[pairs]`
 */
function axesOf(
  sections: readonly number[],
  isInterleaved: boolean,
  pairs: number,
  name: string,
): number[] {
  // M-RoPE of Qwen2-VL (arXiv 2409.12191 §3.1): one run of channel pairs for each axis.
  if (!isInterleaved) {
    const axes = sections.flatMap((count, i) => new Array<number>(count).fill(i % 3));
    if (axes.length === pairs) return axes;
    throw new Error(
      `config.json: ${name}: mrope_section is [${sections}], expected a sum of ${pairs}, half of ` +
        `head_dim, or of hidden_size / num_attention_heads; see rope_scaling or rope_parameters`,
    );
  }
  // M-RoPE of Qwen3-VL: height and width take every third pair until their sections are used up.
  const [, height = 0, width = 0] = sections;
  return Array.from({ length: pairs }, (_, c) => {
    if (c % 3 === 1 && c < 3 * height) return 1;
    return c % 3 === 2 && c < 3 * width ? 2 : 0;
  });
}
