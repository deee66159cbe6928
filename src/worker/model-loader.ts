import { browserPlatform } from "../platform/browser.ts";
import { loadCheckpoint } from "../runtime/load-checkpoint.ts";
import { openSource } from "../runtime/open-source.ts";
import type { OpenOptions } from "../weights/checkpoint.ts";
import type { ModelLoader } from "./expose-model.ts";

/**
 * Loads models in a worker of a page.
 *
 * @param packed reads checkpoints whose weights are packed
 */
export function modelLoader(
  packed: Pick<OpenOptions, "packedFormats" | "gguf">,
): ModelLoader["load"] {
  return (source, options, compileGrammar, onProgress, signal) => {
    const opening = { onProgress, signal, ...packed };
    const open = () => openSource(source, options, browserPlatform, opening);
    const all = { ...options, compileGrammar };
    return loadCheckpoint(open, all, browserPlatform, onProgress, signal);
  };
}
