import { decodeImage } from "./decode-image.ts";
import { NoGpuError } from "./device-error.ts";
import type { Platform } from "./platform.ts";
import { openStore } from "./store.ts";

/** The platform of a page and of its workers. */
export const browserPlatform: Platform = { requestAdapter, decodeImage, openStore };

async function requestAdapter(): Promise<GPUAdapter> {
  if (!isSecureContext) {
    throw new NoGpuError(
      "WebGPU needs a secure page: open this page over https, or from localhost.",
    );
  }
  const gpu = navigator.gpu as GPU | undefined;
  if (!gpu) throw new NoGpuError(`This browser offers no WebGPU. ${withoutWebGpu()}`);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new NoGpuError(`WebGPU found no usable GPU. ${withoutAdapter()}`);
  return adapter;
}

type Browser = "Chromium" | "Firefox" | "Safari" | "unknown";

function browser(agent = navigator.userAgent): Browser {
  if (/Chrome\//.test(agent)) return "Chromium";
  if (/Firefox\//.test(agent)) return "Firefox";
  return /Safari\//.test(agent) ? "Safari" : "unknown";
}

function withoutWebGpu(): string {
  switch (browser()) {
    case "Chromium":
      return "Update to version 113 or newer (Android: 121).";
    case "Firefox":
      return "Update to version 141 or newer on Windows, 145 on macOS; elsewhere set dom.webgpu.enabled to true in about:config.";
    case "Safari":
      return "Update to Safari 26 or newer.";
    case "unknown":
      return "Use a current Chrome, Edge, Firefox or Safari.";
  }
}

function withoutAdapter(): string {
  switch (browser()) {
    case "Chromium":
      return "Turn on graphics acceleration in the browser's settings, update the graphics driver, or enable chrome://flags/#enable-unsafe-webgpu; chrome://gpu says what is missing.";
    case "Firefox":
      return "Update the graphics driver; about:support, under Graphics, says what is missing.";
    default:
      return "Turn on hardware acceleration in the browser's settings, or update the graphics driver.";
  }
}
