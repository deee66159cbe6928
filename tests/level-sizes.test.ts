import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LEVELS } from "../bench/levels/levels.ts";
import { levelSizes } from "./level-sizes.ts";

test("the table of levels in the docs has their bits, sizes and errors", async () => {
  const page = readFileSync(join(import.meta.dirname, "../docs/design/weight-formats.md"), "utf8");
  const rows = page.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  const sizes = await levelSizes();
  for (const { title } of LEVELS) {
    const [, , bits, memory, error] =
      rows.find((row) => row.length === 7 && row[1] === title) ?? [];
    expect({ bits, memory, error }, title).toEqual(sizes.get(title));
  }
});
