import { measureXGrammar } from "./grammar/xgrammar.ts";
import { benchLevels } from "./levels/bench.ts";
import { benchLoad } from "./load/bench.ts";
import { benchMatrix } from "./matrix/bench.ts";
import { benchModels } from "./model/bench.ts";
import { benchStore } from "./store/bench.ts";

/**
 * `npm run bench [-- matrix|model [part of a name]]`, `npm run bench -- load` for the first and the second
 * start of a model of 1 GB, `npm run bench -- store` for the places where a browser can store one,
 * `npm run bench -- levels` for what each level of "auto" keeps, and `npm run bench -- xgrammar` for the
 * reasons behind `src/grammar/`.
 */
export async function main([part, select]: readonly string[]): Promise<number> {
  switch (part) {
    case "xgrammar":
      await measureXGrammar();
      return 0;
    case "load":
      await benchLoad();
      return 0;
    case "store":
      await benchStore();
      return 0;
    case "levels":
      await benchLevels(select);
      return 0;
  }
  if (part !== "matrix") await benchModels(select);
  if (part !== "model") await benchMatrix(select);
  return 0;
}
