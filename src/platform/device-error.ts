/** This device can't run the model. Another device may. The message says what helps. */
export class DeviceError extends Error {
  override name = "DeviceError";
}

/** WebGPU is missing, or it has no adapter. */
export class NoGpuError extends DeviceError {
  override name = "NoGpuError";
}

/** The GPU has too little memory. */
export class OutOfMemoryError extends DeviceError {
  override name = "OutOfMemoryError";
}

/** The GPU went away: a driver was reset, the computer slept, or the model was disposed. */
export class DeviceLostError extends DeviceError {
  override name = "DeviceLostError";
}

/** By the names that the errors carry. A minifier changes the names of the classes themselves. */
const CLASSES: Readonly<Record<string, typeof DeviceError>> = {
  DeviceError,
  NoGpuError,
  OutOfMemoryError,
  DeviceLostError,
};

/**
 * Gives an error of a worker its class back. An error that crosses threads keeps its name and
 * message, but not its class.
 *
 * @returns a DeviceError of the class that `error.name` names, else `error` itself
 */
export function reviveDeviceError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DeviceError) return error;
  if (!Object.hasOwn(CLASSES, error.name)) return error;
  const Class = CLASSES[error.name] as typeof DeviceError;
  return Object.assign(new Class(error.message), { stack: error.stack });
}
