import { requestAdapter } from "./node-gpu.ts";
import { decodeNodeImage } from "./node-image.ts";
import { openNodeStore } from "./node-store.ts";
import type { Platform } from "./platform.ts";

/** The platform of Node: WebGPU comes from the package `webgpu` (Dawn), image decoding from `sharp`. */
export const nodePlatform: Platform = {
  requestAdapter,
  decodeImage: decodeNodeImage,
  openStore: openNodeStore,
};
