import { parseCLI, startVitest, type Vitest } from "vitest/node";
import { installChromium } from "./chromium.ts";

/**
 * `npm test`: all three kinds of test, then their counts on a last line of their own.
 *
 * @param args as for `vitest run`
 * @returns 0 when at least one test ran and none failed
 */
export async function main(args: readonly string[]): Promise<number> {
  installChromium();
  const { filter, options } = parseCLI(["vitest", "run", ...args]);
  const vitest = await startVitest("test", filter, { ...options, watch: false });
  const { passed, failed, skipped } = count(vitest);
  await vitest.close();
  const skips = skipped > 0 ? `, ${skipped} skipped` : "";
  console.log(`${passed} passed, ${failed} failed${skips}`);
  return passed > 0 && failed === 0 && !process.exitCode ? 0 : 1;
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
