import type { CreateModel } from "../models/registered-family.ts";
import { browserPlatform } from "../platform/browser.ts";
import { loadCheckpoint } from "../runtime/load-checkpoint.ts";
import { openSource } from "../runtime/open-source.ts";
import type { OpenOptions } from "../weights/checkpoint.ts";
import type { ModelLoader } from "./expose-model.ts";

/** What a worker's script contains. */
export interface WorkerContents extends Pick<OpenOptions, "packedFormats" | "gguf"> {
  readonly createModel: CreateModel;
}

/**
 * Loads models in a worker of a page.
 *
 * @param platform replaced where what it does is counted
 */
export function modelLoader(
  { createModel, ...packed }: WorkerContents,
  platform = browserPlatform,
): ModelLoader["load"] {
  return (source, options, loadShaders, compileGrammar, onProgress, signal, files) => {
    const opening = { onProgress, signal, ...files, ...packed };
    const open = () => openSource(source, options, platform, opening);
    const all = { ...options, loadShaders, compileGrammar, createModel };
    return loadCheckpoint(open, all, platform, onProgress, signal);
  };
}
