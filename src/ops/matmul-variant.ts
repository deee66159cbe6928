import type { Gpu } from "../gpu/device.ts";

/**
 * How matrix products are made: `tiled` shares operands through workgroup memory, which suits
 * graphics processors; `direct` keeps all in registers, which suits software adapters (they take
 * seconds to compile a barrier, so timing both to choose would cost more than it gains).
 */
export type MatmulVariant = "tiled" | "direct";

const chosen = new WeakMap<Gpu, MatmulVariant>();

/** Sets the variant that products recorded from now on use. */
export function setMatmulVariant(gpu: Gpu, variant: MatmulVariant): void {
  chosen.set(gpu, variant);
}

/** @returns the variant set, else what the adapter says of itself suggests */
export function matmulVariant(gpu: Gpu): MatmulVariant {
  return chosen.get(gpu) ?? (isSoftware(gpu.adapter) ? "direct" : "tiled");
}

/** @returns whether an adapter computes on the processor */
export function isSoftware({
  isFallbackAdapter,
  vendor,
  architecture,
  description,
}: GPUAdapterInfo): boolean {
  const names = `${vendor} ${architecture} ${description}`.toLowerCase();
  return isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|software|warp/.test(names);
}
