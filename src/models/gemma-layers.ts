import * as z from "zod/mini";

/** How the layers of Gemma 2 and 3 differ from one another. */
export const LayerType = z.enum(["sliding_attention", "full_attention"]);

export type LayerType = z.output<typeof LayerType>;

interface LayerSettings {
  readonly num_hidden_layers: number;
  readonly layer_types?: readonly LayerType[] | null | undefined;
}

/**
 * @param period a layer of this many sees everything, the last of them, unless the settings list them
 * @returns `[num_hidden_layers]`
 * @throws Error where they list another number of layers
 */
export function layerTypes(
  { num_hidden_layers, layer_types }: LayerSettings,
  period: number,
): readonly LayerType[] {
  const types =
    layer_types ??
    Array.from({ length: num_hidden_layers }, (_, i) =>
      (i + 1) % period === 0 ? "full_attention" : "sliding_attention",
    );
  if (types.length === num_hidden_layers) return types;
  throw new Error(
    `config.json: text_config.layer_types: ${types.length}, expected ${num_hidden_layers}`,
  );
}
