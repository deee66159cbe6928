import { beforeEach } from "vitest";
import { findLavapipe } from "../scripts/lavapipe.ts";
import { requestAdapter } from "../src/platform/node-gpu.ts";

// Gives tests in Node `navigator.gpu`, whose adapter is lavapipe.
const driver = findLavapipe();
if (driver) {
  Object.assign(process.env, { VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver });
  const gpu = { requestAdapter };
  Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });
}
beforeEach(({ skip }) => skip(!driver, "lavapipe (mesa-vulkan-drivers) is not installed"));
