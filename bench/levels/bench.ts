import { FAMILIES } from "../../tests/families.ts";
import unpackGoldens from "../../tests/goldens/unpack.ts";
import { levelSizes } from "../../tests/level-sizes.ts";
import { withPage } from "../open-page.ts";
import { LEVELS } from "./levels.ts";
import type * as levels from "./page.ts";

declare global {
  interface Window {
    readonly levels: typeof levels;
  }
}

/**
 * Prints the table of levels of docs/design/weight-formats.md: bits of a weight and its error, the size of
 * a model, and the share of the goldens' tokens that the level keeps. A token is kept if it is the best one
 * after the recorded tokens before it.
 *
 * @param select runs only families whose name includes this
 */
export async function benchLevels(select = ""): Promise<void> {
  unpackGoldens();
  const folders = FAMILIES.flatMap(({ folders: [folder] }) => folder ?? []);
  const sizes = await levelSizes();
  await withPage("bench/levels/index.html", "levels", async (page) => {
    console.log("| level | bits | memory | error | tokens kept |\n| - | - | - | - | - |");
    for (const level of LEVELS) {
      let [kept, all] = [0, 0];
      for (const folder of folders.filter((name) => name.includes(select))) {
        const counts = await page.evaluate(
          ([folder, level]) => window.levels.measure(folder, level),
          [folder, level] as const,
        );
        kept += counts.kept;
        all += counts.all;
      }
      const { bits, memory, error } = sizes.get(level.title)!;
      const share = `${((100 * kept) / all).toFixed(1)} % of ${all}`;
      console.log(`| ${[level.title, bits, memory, error, share].join(" | ")} |`);
    }
  });
}
