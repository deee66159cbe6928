import * as z from "zod/mini";
import type { CheckpointFiles } from "./model.ts";

/** Reads config.json by a family's schema. Throws Error naming the first field that is wrong. */
export function parseConfig<T extends z.ZodMiniType>(
  schema: T,
  files: CheckpointFiles,
): z.output<T> {
  return parse(schema, files["config.json"], "config.json");
}

/** Reads a part of a config by its schema. Throws Error naming the first field that is wrong. */
export function parse<T extends z.ZodMiniType>(
  schema: T,
  part: unknown,
  name: string,
): z.output<T> {
  const parsed = schema.safeParse(part);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`${name}: ${issue?.path.join(".")}: ${issue?.message}`);
}

const Rope = z.object({
  rope_theta: z.optional(z.number()),
  rope_scaling: z.optional(z.nullable(z.looseObject({}))),
  rope_parameters: z.optional(
    z.looseObject({ rope_theta: z.number(), rope_type: z._default(z.string(), "default") }),
  ),
});

/** Of Llama 3.1, in transformers' spelling. */
const Llama3Scaling = z.object({
  factor: z.number().check(z.positive()),
  low_freq_factor: z.number().check(z.positive()),
  high_freq_factor: z.number().check(z.positive()),
  original_max_position_embeddings: z.number().check(z.positive()),
});

/** Turns slow channel pairs slower, so that a decoder reads longer texts than it was first made for. */
export type Llama3Scaling = z.output<typeof Llama3Scaling>;

/**
 * @param under name of the config's part that describes the decoder, "text_config" say
 * @param otherwise the family's default
 * @returns `rope_theta`, which transformers 5 writes inside `rope_parameters`
 * @throws Error where the checkpoint asks for a scaling that this reader does not know
 */
export function ropeTheta(files: CheckpointFiles, under: string, otherwise = 10_000): number {
  const { theta, scaling } = ropeSettings(files, under, otherwise);
  if (scaling) throw new Error(`config.json: ${under}: rope type llama3 is not known here`);
  return theta;
}

/**
 * @param otherwise the family's default of `rope_theta`
 * @returns `rope_theta`, and the scaling of type "llama3" where the checkpoint asks for it
 * @throws Error where it asks for another one
 */
export function ropeSettings(
  files: CheckpointFiles,
  under: string,
  otherwise = 10_000,
): { readonly theta: number; readonly scaling?: Llama3Scaling } {
  const config = parseConfig(z.object({ [under]: Rope }), files)[under] as z.output<typeof Rope>;
  const scaling = config.rope_parameters ?? config.rope_scaling;
  const type = scaling?.rope_type ?? config.rope_scaling?.type ?? "default";
  const theta = config.rope_parameters?.rope_theta ?? config.rope_theta ?? otherwise;
  // "dynamic" changes nothing up to max_position_embeddings, and no context is longer.
  if (type === "default" || type === "dynamic") return { theta };
  if (type === "llama3") {
    const part = config.rope_parameters ? "rope_parameters" : "rope_scaling";
    return { theta, scaling: parse(Llama3Scaling, scaling, `config.json: ${under}.${part}`) };
  }
  throw new Error(`config.json: ${under}: rope type ${type} is not known`);
}
