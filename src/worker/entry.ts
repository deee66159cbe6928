import { browserPlatform } from "../platform/browser.ts";
import { loadCheckpoint } from "../runtime/load-checkpoint.ts";
import { openSource } from "../runtime/open-source.ts";
import { planCheckpoint } from "../runtime/plan-checkpoint.ts";
import { exposeModel } from "./expose-model.ts";

/** The script of the model's worker. */
exposeModel({
  load(source, options, compileGrammar, onProgress, signal) {
    const open = () => openSource(source, options, browserPlatform, { onProgress, signal });
    const all = { ...options, compileGrammar };
    return loadCheckpoint(open, all, browserPlatform, onProgress, signal);
  },
  async plan(source, options) {
    return planCheckpoint(await openSource(source, options, browserPlatform), options);
  },
});
