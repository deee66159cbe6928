import { existsSync } from "node:fs";

/** Where a Chromium or Chrome usually is; `CHROMIUM_PATH` goes before all of them. */
const CANDIDATES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

/** @returns the path of a Chromium or Chrome on this machine, or undefined */
export function findChromium(): string | undefined {
  const named = process.env.CHROMIUM_PATH;
  if (named) return named;
  return CANDIDATES.find((path) => existsSync(path));
}

/**
 * What Chromium is started with. WebGPU runs on the software adapter unless `WEBVLM_GPU=1` asks
 * for the machine's own.
 */
export const CHROMIUM_ARGS = [
  "--no-sandbox",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
  ...(process.env.WEBVLM_GPU === "1" ? [] : ["--use-webgpu-adapter=swiftshader"]),
];
