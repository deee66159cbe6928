import type { LoadShaders } from "../gpu/kernels.ts";
import type { CompileGrammar } from "../grammar/grammar.ts";
import type { Stats } from "../runtime/loaded-model.ts";
import type { SourceOptions } from "../runtime/options.ts";
import type { ModelPlan, PlanOptions } from "../runtime/plan-checkpoint.ts";
import type { LocalFolder } from "../weights/blob-files.ts";
import type { OnProgress } from "../weights/progress.ts";

/** A `Request` in a form that can be posted to another thread. */
export interface PostedRequest {
  readonly method: string;
  /** Absolute. */
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: ArrayBuffer | null;
}

/** A `Response` in a form that can be posted to another thread. */
export interface PostedResponse {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** The result of `sendStream`. */
  readonly body: ReadableStream<Uint8Array> | MessagePort | null;
}

/** A `fetch` that another thread calls: the page calls its worker, a service worker calls a tab. */
export interface FetchService {
  /** @param call number of the call, counted by the caller, for `end` */
  fetch(call: number, request: PostedRequest): Promise<PostedResponse>;
  /** Ends a call: its answer was read, or nobody wants it. This aborts the call's signal. */
  end(call: number): void;
}

/** What the model's worker offers to the page. */
export interface WorkerService extends FetchService {
  /**
   * Loads the model that `fetch` asks.
   *
   * @param loadShaders runs in the page, which can import files, as an inlined worker can't
   * @param compileGrammar runs in the page, so that the worker's script does not contain it
   * @param connectHashes returns the port of a `HashService` in another worker
   * @returns the model's id
   */
  load(
    source: string | LocalFolder,
    options: SourceOptions,
    loadShaders: LoadShaders,
    compileGrammar: CompileGrammar,
    onProgress: OnProgress,
    connectHashes: () => Promise<MessagePort>,
  ): Promise<string>;
  /** Computes the memory that a model needs. Nothing is loaded. */
  plan(source: string | LocalFolder, options: PlanOptions): Promise<ModelPlan>;
  stats(): Promise<Stats>;
  unload(): Promise<boolean>;
  dispose(): void;
}
