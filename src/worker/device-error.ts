/** By name: what crosses from a worker keeps nothing else of its class. */
const UNFIT = ["NoGpuError", "OutOfMemoryError", "DeviceLostError"];

/**
 * Whether loading failed because of this device, and would not elsewhere: there is no WebGPU, the
 * model does not fit the GPU's memory, or the GPU was lost on the way.
 */
export function isDeviceError(error: unknown): boolean {
  return UNFIT.includes((Object(error) as Error).name);
}
