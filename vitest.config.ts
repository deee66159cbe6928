import { availableParallelism } from "node:os";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { CHROMIUM_ARGS, findChromium } from "./scripts/chromium.ts";

const executablePath = findChromium();

/** Family folders of the goldens are unpacked once, before all tests. */
const globalSetup = ["tests/goldens/unpack.ts"];

/**
 * Five kinds of test, told apart by their names: `*.test.ts` runs in Node, `*.server.test.ts` too, with
 * servers and processes that it starts and waits for, `*.gpu.test.ts` in a real Chromium,
 * `*.variant.test.ts` in Node on Mesa's driver for the processor, which has features of GPUs,
 * `e2e/*.e2e.ts` in Node with a Chromium that it drives.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "node",
          globalSetup,
          include: ["{src,tests,scripts}/**/*.test.ts"],
          exclude: ["**/*.gpu.test.ts", "**/*.server.test.ts", "**/*.variant.test.ts"],
          // Vitest itself would leave one core to the user.
          maxWorkers: availableParallelism(),
          // The files share imported modules, which take as long as a third of the tests.
          isolate: false,
          // Some go through hundreds of cases; a busy machine is no failure.
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "server",
          include: ["src/**/*.server.test.ts"],
          maxWorkers: availableParallelism(),
          isolate: false,
          testTimeout: 60_000,
        },
      },
      {
        extends: "./vite.config.ts",
        test: {
          name: "gpu",
          globalSetup,
          // After the tests in Node, which use all cores. The two kinds with a browser run at the same
          // time, since each leaves half a core idle.
          sequence: { groupOrder: 1 },
          include: ["{src,tests}/**/*.gpu.test.ts"],
          fileParallelism: false,
          // The files share a page, a device, and so the kernels that several of them compile.
          isolate: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: { executablePath, args: CHROMIUM_ARGS } }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
      {
        test: {
          name: "variant",
          setupFiles: ["tests/variant-setup.ts"],
          // Beside the tests in a browser.
          sequence: { groupOrder: 1 },
          include: ["src/**/*.variant.test.ts"],
          // The files share a device, and so the kernels that several of them compile.
          fileParallelism: false,
          isolate: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "e2e",
          globalSetup: [...globalSetup, "e2e/global-setup.ts"],
          sequence: { groupOrder: 1 },
          include: ["e2e/**/*.e2e.ts"],
          // One file after another in one process, so that they share a page and its loaded model.
          fileParallelism: false,
          isolate: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
