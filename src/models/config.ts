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
    z.object({ rope_theta: z.number(), rope_type: z._default(z.string(), "default") }),
  ),
});

/**
 * @param under name of the config's part that describes the decoder, "text_config" say
 * @returns `rope_theta`, which transformers 5 writes inside `rope_parameters`
 * @throws Error where the checkpoint asks for a scaling that this reader does not know
 */
export function ropeTheta(files: CheckpointFiles, under: string): number {
  const config = parseConfig(z.object({ [under]: Rope }), files)[under] as z.output<typeof Rope>;
  const scaling = config.rope_parameters ?? config.rope_scaling;
  const type = scaling?.rope_type ?? config.rope_scaling?.type ?? "default";
  // "dynamic" changes nothing up to max_position_embeddings, and no context is longer.
  if (type !== "default" && type !== "dynamic") {
    throw new Error(`config.json: ${under}: rope type ${type} is not known`);
  }
  return config.rope_parameters?.rope_theta ?? config.rope_theta ?? 10_000;
}
