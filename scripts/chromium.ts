import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chromium } from "playwright";

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
  return [...CANDIDATES, chromium.executablePath()].find((path) => existsSync(path));
}

/**
 * Installs a Chromium where there is none: Debian's as root on Debian, Playwright's elsewhere.
 *
 * @returns its path
 * @throws Error saying how to get one when that fails
 */
export function installChromium(): string {
  const there = findChromium();
  if (there) return there;
  if (existsSync("/etc/debian_version") && process.getuid?.() === 0) {
    run("apt-get", "update");
    run("apt-get", "install", "-y", "chromium");
  } else {
    run("npx", "playwright", "install", "chromium");
  }
  const installed = findChromium();
  if (installed) return installed;
  throw new Error(
    "The tests need a Chromium or Chrome, and none could be installed: install one yourself, or " +
      "set CHROMIUM_PATH to one.",
  );
}

function run(command: string, ...args: string[]): void {
  console.log(`> ${command} ${args.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const shell = process.platform === "win32"; // npx is a script there.
  spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"], env, shell });
}

const SOFTWARE_ADAPTER = [
  "--use-webgpu-adapter=swiftshader",
  // SwiftShader unrolls that extension's zeroing of workgroup memory: a kernel that shares 4 KiB takes
  // twice the time to compile, and zeroes it once for every four lanes. Dawn zeroes in a loop without it.
  "--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension",
];

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
  ...(process.env.WEBVLM_GPU === "1" ? [] : SOFTWARE_ADAPTER),
];
