import type { Kernels } from "../src/gpu/kernels.ts";
import { hardware } from "../src/gpu/shaders/hardware.ts";

/** The kernels for GPUs, by the features that they use. */
export const GPU_KERNELS: readonly (Kernels & { readonly name: string })[] = [
  { name: "no feature", hardware, features: new Set<string>() },
  { name: "subgroups", hardware, features: new Set(["subgroups"]) },
];
