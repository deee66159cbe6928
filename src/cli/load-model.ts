import { isSoftware } from "../ops/matmul-variant.ts";
import { nodePlatform } from "../platform/node.ts";
import type { Server } from "../worker/api.ts";
import { type CheckpointOptions, serveCheckpoint } from "../worker/load.ts";
import { openModel } from "./open-model.ts";
import type { Terminal } from "./terminal.ts";

export interface LoadModelOptions extends CheckpointOptions {
  /** As `openModel` takes it. */
  readonly model?: string | undefined;
}

/**
 * Loads a model on this machine's GPU, and tells the terminal how it goes.
 *
 * @throws NoGpuError; Error when the model can't be read or used; the signal's reason
 */
export function loadModel(
  options: LoadModelOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Server> {
  const { onProgress, onDownload } = terminal;
  const platform = {
    ...nodePlatform,
    async requestAdapter() {
      const adapter = await nodePlatform.requestAdapter();
      const { vendor, description, device } = adapter.info;
      const name = description || device || vendor || "a GPU without a name";
      terminal.note(`GPU: ${name}`);
      if (isSoftware(adapter.info)) {
        terminal.note("This is a software adapter: it computes on the processor, and is slow.");
      }
      return adapter;
    },
  };
  const open = () => openModel(options.model, { signal, onProgress, onDownload });
  return serveCheckpoint(open, options, platform, onProgress, signal);
}
