import { requestAdapter } from "./node-gpu.ts";
import { decodeImage } from "./node-image.ts";
import { openStore } from "./node-store.ts";
import type { Platform } from "./platform.ts";

/** Node, with WebGPU from the package `webgpu` (Dawn) and images from `sharp`. */
export const nodePlatform: Platform = { requestAdapter, decodeImage, openStore };
