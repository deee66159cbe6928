import { isSoftware } from "../platform/software-adapter.ts";
import { lanesInOrder } from "./probe-lanes.ts";
import type { HardwareShaders } from "./shaders/hardware.ts";
import type { SoftwareShaders } from "./shaders/software.ts";

/** WGSL beyond the plain kernels, which are in the ops' own files and run on every adapter. */
export interface AdapterShaders {
  /** For adapters that compute on the processor. */
  readonly software?: SoftwareShaders;
  /** For GPUs. */
  readonly hardware?: HardwareShaders;
}

/** What ops choose their kernels by. Without shaders they record the plain ones. */
export interface Kernels extends AdapterShaders {
  /** Names of the device's features that kernels may use. */
  readonly features: ReadonlySet<string>;
  /** Lanes that a subgroup has at least, a power of two. Default: 4, which WebGPU promises. */
  readonly subgroupLanes?: number | undefined;
}

/** Loads the shaders of a kind of adapter. What it returns can be posted to another thread. */
export type LoadShaders = (kind: "software" | "hardware") => Promise<AdapterShaders>;

/** @returns the kernels that suit a device; the plain ones, with a warning, where shaders fail to load */
export async function kernelsFor(
  adapter: GPUAdapterInfo,
  device: GPUDevice,
  load: LoadShaders,
): Promise<Kernels> {
  const { features } = device;
  const { subgroupMinSize: subgroupLanes = 4 } = adapter;
  try {
    const shaders = await load(isSoftware(adapter) ? "software" : "hardware");
    const { hardware } = shaders;
    const inOrder =
      !hardware ||
      !features.has("subgroups") ||
      (await lanesInOrder(device, hardware.probeLanes, subgroupLanes));
    const usable = inOrder
      ? features
      : new Set([...features].filter((name) => name !== "subgroups"));
    return { features: usable, subgroupLanes, ...shaders };
  } catch (error) {
    console.warn("webvlm: kernels for this adapter did not load, so slower ones run:", error);
    return { features };
  }
}
