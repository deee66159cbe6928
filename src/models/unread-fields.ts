import type { CheckpointFiles } from "./model.ts";

/**
 * Fields that no published config of these families has, and that change the answer in the reference
 * wherever a config has them, with the values that don't. Absence and `null` don't either.
 */
const NEUTRAL: Readonly<Record<string, readonly unknown[]>> = {
  is_causal: [true],
  is_encoder_decoder: [false],
  attention_chunk_size: [],
  kv_sharing_modes: [],
};

/** The parts of config.json; the first is all of it. */
const PARTS = ["", "text_config", "vision_config"] as const;

/** Throws Error naming a field of config.json that would be dropped, though it changes answers. */
export function checkUnread(files: CheckpointFiles): void {
  const config = (files["config.json"] ?? {}) as Record<string, unknown>;
  for (const part of PARTS) {
    const fields = (part ? (config[part] ?? {}) : config) as Record<string, unknown>;
    for (const [name, neutral] of Object.entries(NEUTRAL)) {
      const value = fields[name] ?? null;
      if (value === null || neutral.includes(value)) continue;
      const path = part ? `${part}.${name}` : name;
      const expected = [...neutral, null].map((one) => JSON.stringify(one)).join(" or ");
      throw new Error(`config.json: ${path} is ${JSON.stringify(value)}, expected ${expected}`);
    }
  }
}
