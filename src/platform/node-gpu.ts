import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { NoGpuError } from "./device-error.ts";
import { importOptional } from "./node-optional.ts";

/** Dawn's instance: a device needs it for as long as it lives. */
let gpu: GPU | undefined;

/** Where the Vulkan loader looks for drivers on Linux, unless it is told otherwise. */
const ICD_FOLDERS = [
  "/etc/vulkan/icd.d",
  "/usr/local/share/vulkan/icd.d",
  "/usr/share/vulkan/icd.d",
];

/**
 * The fastest adapter that Dawn finds. WebGPU's classes and constants become globals, as in a page.
 *
 * @throws NoGpuError saying which drivers were looked for, and how to get one
 */
export async function requestAdapter(): Promise<GPUAdapter> {
  const { create, globals } = await importOptional("webgpu", () => import("webgpu"));
  Object.assign(globalThis, globals);
  gpu ??= create([]);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new NoGpuError(`No GPU was found. ${withoutAdapter(process.platform)}`);
  return adapter;
}

function withoutAdapter(platform: NodeJS.Platform): string {
  if (platform === "darwin") return "Looked for a Metal device: every Mac since 2012 has one.";
  if (platform === "win32") {
    return "Looked for Direct3D 12 and Vulkan drivers: install your graphics card's own driver.";
  }
  const looked = lookedFor();
  return (
    `Looked for Vulkan drivers: libvulkan.so.1, and ${looked.where}: ${looked.found}. ` +
    `Install the loader and your graphics card's driver (on Debian and Ubuntu: libvulkan1 and ` +
    `mesa-vulkan-drivers, or NVIDIA's own driver). mesa-vulkan-drivers also brings lavapipe, ` +
    `which runs on the processor. vulkaninfo --summary says what the loader sees.`
  );
}

/** The files that name Vulkan drivers, as the loader finds them. */
function lookedFor(): { where: string; found: string } {
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES } = process.env;
  const named = VK_DRIVER_FILES ?? VK_ICD_FILENAMES;
  if (named) {
    const variable = VK_DRIVER_FILES ? "VK_DRIVER_FILES" : "VK_ICD_FILENAMES";
    const missing = named.split(":").filter((file) => !existsSync(file));
    const found = missing.length > 0 ? `there is no ${missing.join(", ")}` : "none of them works";
    return { where: `the drivers that ${variable} names (${named})`, found };
  }
  const drivers = ICD_FOLDERS.flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder).map((file) => join(folder, file)) : [],
  );
  const found = drivers.length > 0 ? `found ${drivers.join(", ")}, none works` : "found none";
  return { where: `drivers in ${ICD_FOLDERS.join(", ")}`, found };
}
