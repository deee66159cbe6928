import * as comlink from "comlink";
import type { LoadShaders } from "../gpu/kernels.ts";
import { GrammarError } from "../grammar/grammar-error.ts";
import type { CompileGrammar } from "../grammar/grammar.ts";
import type { LoadedModel } from "../runtime/loaded-model.ts";
import type { SourceOptions } from "../runtime/options.ts";
import type { LocalFolder } from "../weights/blob-files.ts";
import type { OnProgress } from "../weights/progress.ts";
import { fetchService } from "./fetch-service.ts";
import type { WorkerService } from "./protocol.ts";
import { type FileOptions, remoteHashes } from "./remote-hash.ts";

/** What a worker does for its page. */
export interface ModelLoader {
  /**
   * Loads a model. Resolves when it can answer.
   *
   * @throws the signal's reason when it aborts
   */
  load(
    source: string | LocalFolder,
    options: SourceOptions,
    loadShaders: LoadShaders,
    compileGrammar: CompileGrammar,
    onProgress: OnProgress,
    signal: AbortSignal,
    files: FileOptions,
  ): Promise<LoadedModel>;
  readonly plan: WorkerService["plan"];
}

/**
 * Exposes a model to the page at the other end of `endpoint`. The page asks to load it.
 *
 * @param endpoint default: the worker's own scope
 */
export function exposeModel(loader: ModelLoader, endpoint?: comlink.Endpoint): void {
  const disposed = new AbortController();
  let model: LoadedModel | undefined;

  const loaded = (): LoadedModel => {
    if (!model) throw new Error("worker: no model is loaded");
    return model;
  };

  const calls = fetchService((request) => loaded().fetch(request));

  const service: WorkerService = {
    async load(source, options, loadShaders, compileGrammar, onProgress, connectHashes) {
      if (model) throw new Error(`worker: ${model.id} is loaded already`);
      const compile = withGrammarErrors(compileGrammar);
      const { signal } = disposed;
      const files = remoteHashes(connectHashes);
      model = await loader.load(source, options, loadShaders, compile, onProgress, signal, files);
      return model.id;
    },

    plan: loader.plan,
    fetch: calls.fetch,
    end: calls.end,
    stats: () => loaded().stats(),
    unload: () => loaded().unload(),

    dispose() {
      disposed.abort();
      model?.dispose();
    },
  };
  comlink.expose(service, endpoint);
}

/** Restores the class of a GrammarError, which is lost between the threads. */
function withGrammarErrors(compileGrammar: CompileGrammar): CompileGrammar {
  return async (source) => {
    try {
      return await compileGrammar(source);
    } catch (cause) {
      const { name, message } = cause as Error;
      throw name === "GrammarError" ? new GrammarError(message, { cause }) : cause;
    }
  };
}
