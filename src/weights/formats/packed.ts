import type { WeightFormat } from "../format.ts";

/**
 * The formats that quantized checkpoints are stored in. They are loaded for such checkpoints alone, so
 * nothing else imports their modules.
 */
export const PACKED_FORMATS: readonly WeightFormat[] = [];
