import { signal } from "@preact/signals";
import { type DeviceInfo, inspectDevice, storedModels } from "../index.ts";

/** This device, and the models on it. */
export interface Device extends DeviceInfo {
  /** Ids of the models whose weights are all stored here. */
  readonly stored: readonly string[];
}

/** Undefined before the first check, and without WebGPU. */
export const device = signal<Device | undefined>(undefined);

/** Updates `device`. Storage changes over time, so call it whenever the answer matters. */
export async function checkDevice(): Promise<void> {
  try {
    const [info, models] = await Promise.all([inspectDevice(), orNothing(storedModels())]);
    const complete = (models ?? []).filter(
      ({ storedBytes, totalBytes }) => storedBytes >= totalBytes,
    );
    device.value = { ...info, stored: complete.map(({ id }) => id) };
  } catch {
    device.value = undefined;
  }
}

/** Browsers refuse storage in private windows and on insecure pages. */
async function orNothing<T>(promise: Promise<T>): Promise<T | undefined> {
  return promise.catch(() => undefined);
}
