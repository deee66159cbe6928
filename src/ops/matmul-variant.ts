import { isSoftware } from "../platform/software-adapter.ts";

/**
 * How a matrix product is computed. `tiled` shares operands through workgroup memory, which suits
 * hardware GPUs. `direct` keeps them in registers, which suits software adapters: these take seconds
 * to compile a barrier, so timing both variants at load would cost more than it gains.
 */
export type MatmulVariant = "tiled" | "direct";

/** @returns the variant that suits an adapter */
export function matmulVariant(adapter: GPUAdapterInfo): MatmulVariant {
  return isSoftware(adapter) ? "direct" : "tiled";
}
