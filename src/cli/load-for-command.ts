import { totalmem } from "node:os";
import { loadShaders } from "../gpu/shaders/load-shaders.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import { createModel } from "../models/registry.ts";
import { nodePlatform } from "../platform/node.ts";
import { isSoftware } from "../platform/software-adapter.ts";
import { type LoadCheckpointOptions, loadCheckpoint } from "../runtime/load-checkpoint.ts";
import type { LoadedModel } from "../runtime/loaded-model.ts";
import { openModel } from "./open-model.ts";
import type { Terminal } from "./terminal.ts";

export interface LoadForCommandOptions extends Omit<
  LoadCheckpointOptions,
  "compileGrammar" | "createModel" | "loadShaders"
> {
  /** As for `openModel`. */
  readonly model?: string | undefined;
}

/**
 * Loads a model on this machine's GPU, and shows the progress in the terminal.
 *
 * @throws DeviceError when this machine can't run the model; Error when the model can't be read or
 *   used; the signal's reason
 */
export function loadForCommand(
  options: LoadForCommandOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<LoadedModel> {
  const { onProgress, onDownload } = terminal;
  const platform = {
    ...nodePlatform,
    async requestAdapter() {
      const adapter = await nodePlatform.requestAdapter();
      const { vendor, description, device } = adapter.info;
      const name = description || device || vendor || "unnamed";
      terminal.note(`GPU: ${name}`);
      if (isSoftware(adapter.info)) {
        terminal.note("This is a software adapter: it computes on the processor, slowly.");
      }
      return adapter;
    },
  };
  const open = () => openModel(options.model, { signal, onProgress, onDownload });
  const device = { memoryBytes: totalmem() };
  const all = { device, ...options, compileGrammar, createModel, loadShaders };
  return loadCheckpoint(open, all, platform, onProgress, signal);
}
