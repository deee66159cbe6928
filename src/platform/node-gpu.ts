import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { slowDawnPolling } from "./dawn-polling.ts";
import { NoGpuError } from "./device-error.ts";
import { importOptional } from "./node-optional.ts";
import { isSoftware } from "./software-adapter.ts";

/** Dawn's instances. They must live as long as their devices. */
const instances: GPU[] = [];

/**
 * Dawn zeroes workgroup memory in a loop without this Vulkan extension. SwiftShader unrolls the zeroing
 * that the extension asks for, and needs twice the time to compile a kernel with a few KiB of it.
 */
const ON_SOFTWARE = ["disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension"];

/** The default folders of the Vulkan loader on Linux, with files that describe the drivers. */
const ICD_FOLDERS = [
  "/etc/vulkan/icd.d",
  "/usr/local/share/vulkan/icd.d",
  "/usr/share/vulkan/icd.d",
];

/**
 * Requests the fastest adapter from Dawn. WebGPU's classes and constants become globals, as in a page.
 *
 * @throws NoGpuError whose message says where drivers were searched, and how to install one
 */
export async function requestAdapter(): Promise<GPUAdapter> {
  const { create, globals } = await importOptional("webgpu", () => import("webgpu"));
  Object.assign(globalThis, globals);
  slowDawnPolling();
  const request = (flags: string[]): Promise<GPUAdapter | null> => {
    const gpu = create(flags);
    instances.push(gpu);
    return gpu.requestAdapter({ powerPreference: "high-performance" });
  };
  let adapter = await request([]);
  if (adapter && isSoftware(adapter.info)) adapter = await request(ON_SOFTWARE);
  if (!adapter) throw new NoGpuError(`No GPU was found. ${withoutAdapter(process.platform)}`);
  return adapter;
}

function withoutAdapter(platform: NodeJS.Platform): string {
  if (platform === "darwin") return "Searched for a Metal device; every Mac since 2012 has one.";
  if (platform === "win32") {
    return "Searched for Direct3D 12 and Vulkan drivers; install the driver of your graphics card.";
  }
  const { where, found } = searchDrivers();
  return (
    `Searched for Vulkan drivers: libvulkan.so.1, and ${where}: ${found}. ` +
    `Install the loader and the driver of your graphics card (on Debian and Ubuntu: libvulkan1 and ` +
    `mesa-vulkan-drivers, or NVIDIA's own driver). mesa-vulkan-drivers includes lavapipe, ` +
    `which runs on the processor. vulkaninfo --summary lists what the loader finds.`
  );
}

/** Searches for driver files as the Vulkan loader does. */
function searchDrivers(): { where: string; found: string } {
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES } = process.env;
  const named = VK_DRIVER_FILES ?? VK_ICD_FILENAMES;
  if (named) {
    const variable = VK_DRIVER_FILES ? "VK_DRIVER_FILES" : "VK_ICD_FILENAMES";
    const missing = named.split(":").filter((file) => !existsSync(file));
    const found =
      missing.length > 0 ? `${missing.join(", ")} does not exist` : "none of them works";
    return { where: `the drivers that ${variable} names (${named})`, found };
  }
  const drivers = ICD_FOLDERS.flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder).map((file) => join(folder, file)) : [],
  );
  const found = drivers.length > 0 ? `found ${drivers.join(", ")}, but none works` : "found none";
  return { where: `drivers in ${ICD_FOLDERS.join(", ")}`, found };
}
