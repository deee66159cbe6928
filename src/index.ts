/** The public API of a page. `service-worker.ts` is that of a service worker. */

export {
  type DeviceInfo,
  type Fit,
  type FitOutcome,
  type FitReason,
  estimateFit,
  inspectDevice,
} from "./page/device.ts";
export { type InterceptOptions, intercept } from "./page/intercept.ts";
export { type CallOptions, type LoadOptions, type Vlm, load } from "./page/load.ts";
export { type LocalModel, type LocalSource, droppedFolder } from "./page/local-folder.ts";
export { forgetLocalModel, localModels } from "./page/local-models.ts";
export { type PlanModelOptions, planModel } from "./page/plan-model.ts";
export { type ServeOriginOptions, serveOrigin } from "./page/serve-origin.ts";
export type { StorageUse } from "./page/storage-use.ts";
export {
  type StoredModel,
  deleteStoredModel,
  deleteStoredModels,
  persistStorage,
  storageUse,
  storedModels,
} from "./page/stored-models.ts";

export type { OriginServer } from "./net/origin/share-with-origin.ts";
export type { UpstreamOptions } from "./net/upstream/address.ts";
export { OpenAIError } from "./openai/errors.ts";
export type * as Responses from "./openai/responses-wire.ts";
/** Requests and responses. */
export type * from "./openai/wire.ts";
export {
  DeviceError,
  DeviceLostError,
  NoGpuError,
  OutOfMemoryError,
} from "./platform/device-error.ts";
export type { AutoPlan } from "./runtime/plan-auto.ts";
export type { Stats } from "./runtime/loaded-model.ts";
export type { DecodeCost } from "./runtime/decode-cost.ts";
export type { GpuPlan, PlanPart, ModelPlan, PartSize } from "./runtime/plan-checkpoint.ts";
export {
  type QuantizationName,
  QUANTIZATION_SUMMARIES,
  QUANTIZATIONS,
} from "./weights/formats/registry.ts";
export type { OnProgress, Progress } from "./weights/progress.ts";
