import { relative } from "node:path";
import { parseCLI, startVitest, type TestModule, type Vitest } from "vitest/node";
import { installChromium } from "./chromium.ts";
import { findLavapipe, installLavapipe } from "./lavapipe.ts";

/** Files named after a run, those that took longest. */
const SLOWEST = 20;

/**
 * `npm test`: all kinds of test, then the slowest files, and the tests' counts on a last line
 * of their own.
 *
 * @param args as for `vitest run`
 * @returns 0 when at least one test ran and none failed
 */
export async function main(args: readonly string[]): Promise<number> {
  const { filter, options } = parseCLI(["vitest", "run", ...args]);
  // Tests in Node need no browser.
  const projects = options.project?.toString();
  if (projects !== "node" && projects !== "variant") installChromium();
  if (!projects || projects.includes("variant")) {
    installLavapipe();
    if (!findLavapipe()) {
      console.log(
        "Without lavapipe (mesa-vulkan-drivers), the tests of kernels for GPUs are skipped.",
      );
    }
  }
  const vitest = await startVitest("test", filter, { ...options, watch: false });
  const { passed, failed, skipped } = count(vitest);
  const slowest = slowestFiles(vitest.state.getTestModules());
  await vitest.close();
  if (slowest.length > 1) console.log(`The slowest files:\n${slowest.join("\n")}`);
  const skips = skipped > 0 ? `, ${skipped} skipped` : "";
  console.log(`${passed} passed, ${failed} failed${skips}`);
  return passed > 0 && failed === 0 && !process.exitCode ? 0 : 1;
}

/** A line for each of the files that took longest, from its import to its last hook. */
function slowestFiles(modules: readonly TestModule[]): string[] {
  const seconds = (module: TestModule): number => {
    // In a browser, the time of preparation counts the files before it.
    const { collectDuration, setupDuration, duration } = module.diagnostic();
    return (collectDuration + setupDuration + duration) / 1000;
  };
  return modules
    .map((module) => ({ module, seconds: seconds(module) }))
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, SLOWEST)
    .map(({ module, seconds }) => {
      const file = relative(process.cwd(), module.moduleId);
      return `${seconds.toFixed(1).padStart(7)} s  ${module.project.name.padEnd(4)}  ${file}`;
    });
}

/** A file that does not load, and an error outside of any test, counts as one that failed. */
function count({ state }: Vitest): { passed: number; failed: number; skipped: number } {
  const counts = { passed: 0, failed: state.getUnhandledErrors().length, skipped: 0 };
  for (const module of state.getTestModules()) {
    let failedTests = 0;
    for (const test of module.children.allTests()) {
      const { state: outcome } = test.result();
      if (outcome === "passed") counts.passed++;
      else if (outcome === "skipped") counts.skipped++;
      else failedTests++;
    }
    counts.failed += failedTests || (module.ok() ? 0 : 1);
  }
  return counts;
}
