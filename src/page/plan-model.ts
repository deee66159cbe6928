import type { ModelPlan, PlanOptions } from "../runtime/plan-checkpoint.ts";
import { withWorker } from "../worker/load-in-worker.ts";
import { memoryOfDevice } from "./device.ts";
import type { LocalSource } from "./local-folder.ts";
import { openLocal } from "./local-models.ts";
import { withModelWorker } from "./with-model-worker.ts";

export interface PlanModelOptions extends Omit<PlanOptions, "base" | "device"> {
  /** Stops planning. `planModel` then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Computes the memory that a model needs, before it is loaded. Only its configuration and the headers
 * of its weights are read. No GPU is needed. `estimateFit` says whether the result fits a device.
 *
 * @param source as for `load`
 * @throws Error when the model can't be read or isn't supported, or outside of a page; the signal's reason
 */
export async function planModel(
  source: string | LocalSource,
  { signal, ...options }: PlanModelOptions = {},
): Promise<ModelPlan> {
  const opened = await openLocal(source);
  return withModelWorker("planModel", (worker) => {
    const plan = { ...options, base: document.baseURI, device: memoryOfDevice() };
    return withWorker(worker, (service) => service.plan(opened, plan), signal);
  });
}
