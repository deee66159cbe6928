import { requestAdapter } from "./node-gpu.ts";
import { decodeImage } from "./node-image.ts";
import { openStore } from "./node-store.ts";
import type { Platform } from "./platform.ts";

/** The platform of Node: WebGPU comes from the package `webgpu` (Dawn), image decoding from `sharp`. */
export const nodePlatform: Platform = { requestAdapter, decodeImage, openStore };
