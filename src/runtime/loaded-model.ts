import type { FetchHandler } from "../openai/handler.ts";
import type { AutoPlan } from "./plan-auto.ts";

/** Counters of a loaded model. */
export interface Stats {
  /** Forward passes so far: prefill chunks and decode steps. */
  readonly steps: number;
  /** Requests that run or wait. */
  readonly requests: number;
  /** Bytes of GPU memory in use now. */
  readonly gpuBytes: number;
  /** Most bytes of GPU memory in use at any time so far. */
  readonly peakGpuBytes: number;
  /** Whether the model is on the GPU. If not, the next request puts it there. Absent: it is. */
  readonly isLoaded?: boolean;
  /** What `quantization: "auto"` has chosen for this device, and why. */
  readonly auto?: AutoPlan | undefined;
}

/** A model that answers requests. A worker loads it; the page has the same behind the worker's border. */
export interface LoadedModel {
  /** The model's id, as `GET /v1/models` lists it. */
  readonly id: string;
  /** Answers a request of OpenAI's API. */
  readonly fetch: FetchHandler;
  stats(): Promise<Stats>;
  /** Resolves when the weights are stored in the form in which they are used. Requests need not wait. */
  readonly stored?: Promise<void> | undefined;
  /**
   * Frees the GPU memory until the next request, which loads the model again from what is stored.
   *
   * @returns false when requests run; then nothing happens
   */
  unload(): Promise<boolean>;
  /** Frees the model and its GPU memory. Running requests fail. */
  dispose(): void;
}
