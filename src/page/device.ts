import { browserPlatform } from "../platform/browser.ts";
import { isSoftware } from "../platform/software-adapter.ts";

/** What a browser reveals about its device. No browser reveals the size of a GPU's memory. */
export interface DeviceInfo {
  /** WebGPU runs on the processor: there is no GPU, or it is not used. */
  readonly software: boolean;
  /** Size limit of one GPU buffer, in bytes. */
  readonly maxBufferBytes: number;
  /**
   * Memory of the whole device, from `navigator.deviceMemory`: a power of two, in many browsers at
   * most 8 GiB. Undefined where the browser doesn't reveal it.
   */
  readonly memoryBytes?: number | undefined;
  /** A phone or tablet. */
  readonly mobile: boolean;
  /** Bytes that this site may still store. Undefined where the browser doesn't reveal it. */
  readonly freeStorageBytes?: number | undefined;
}

const GIB = 2 ** 30;

/** Properties that TypeScript doesn't know: only Chromium has them. */
type ChromiumNavigator = Navigator & {
  readonly deviceMemory?: number;
  readonly userAgentData?: { readonly mobile: boolean };
};

/**
 * Collects what the browser reveals about this device, for `estimateFit`.
 *
 * @throws NoGpuError without WebGPU
 */
export async function inspectDevice(): Promise<DeviceInfo> {
  const { info, limits } = await browserPlatform.requestAdapter();
  return {
    software: isSoftware(info),
    maxBufferBytes: limits.maxBufferSize,
    ...memoryOfDevice(),
    freeStorageBytes: await freeStorage(),
  };
}

/** @returns what the browser reveals about this device's memory */
export function memoryOfDevice(): Pick<DeviceInfo, "memoryBytes" | "mobile"> {
  const { deviceMemory, userAgentData, userAgent, maxTouchPoints } = navigator as ChromiumNavigator;
  return {
    memoryBytes: deviceMemory && deviceMemory * GIB,
    mobile: userAgentData?.mobile || isMobile(userAgent, maxTouchPoints),
  };
}

/** iPads identify themselves as Macs. A Mac has no touch screen. */
export function isMobile(userAgent: string, touchPoints: number): boolean {
  return /Android|iPhone|iPad|Mobi/.test(userAgent) || (/Mac/.test(userAgent) && touchPoints > 1);
}

async function freeStorage(): Promise<number | undefined> {
  try {
    const { quota, usage = 0 } = await navigator.storage.estimate();
    return quota === undefined ? undefined : quota - usage;
  } catch {
    return undefined; // Some browsers refuse in private windows.
  }
}

/** From best to worst. */
const OUTCOMES = ["fits", "may not fit", "does not fit"] as const;
export type FitOutcome = (typeof OUTCOMES)[number];

/**
 * Why a model may not fit.
 *
 * - `memory`: it needs more than half of the device's memory.
 * - `mobile`: it needs more than phones and tablets give to a page.
 * - `unknown-memory`: it is large, and the browser doesn't reveal the device's memory.
 * - `small-buffers`: the GPU's buffer limit is that of a GPU with little memory.
 * - `software`: it is large, and uses the processor's memory.
 */
export type FitReason = "memory" | "mobile" | "unknown-memory" | "small-buffers" | "software";

/** An estimate of whether a device can hold a model. */
export interface Fit {
  readonly outcome: FitOutcome;
  /** Empty for a model that fits. */
  readonly reasons: readonly FitReason[];
}

interface Finding {
  readonly outcome: FitOutcome;
  readonly reason: FitReason;
}

/** Browsers cap `navigator.deviceMemory` here. */
const REVEALED_AT_MOST = 8 * GIB;
/** Every desktop is taken to have this much for a model. */
const MODEST_BYTES = 2 * GIB;
/** Phones end pages that take much of their memory. */
const MOBILE_BYTES = { fits: GIB, most: 3 * GIB };
/** A buffer limit is usually a quarter of a GPU's memory or more. */
const BUFFERS = 4;

/**
 * Estimates whether a device can hold a model. On most devices the GPU shares the system's memory; half
 * of it is assumed to be free.
 *
 * @param gpuBytes what the model needs, such as `plan.gpu.q4.total` of `planModel`
 */
export function estimateFit(gpuBytes: number, device: DeviceInfo): Fit {
  const findings = [
    checkMemory(device, gpuBytes),
    checkBuffers(device, gpuBytes),
    checkSoftware(device, gpuBytes),
  ].filter((finding) => finding !== undefined);
  const worst = Math.max(0, ...findings.map(({ outcome }) => OUTCOMES.indexOf(outcome)));
  return {
    outcome: OUTCOMES[worst] as FitOutcome,
    reasons: findings.map(({ reason }) => reason),
  };
}

function checkMemory({ memoryBytes, mobile }: DeviceInfo, need: number): Finding | undefined {
  if (memoryBytes !== undefined && need > memoryBytes / 2) {
    const exceeds = need > memoryBytes && memoryBytes < REVEALED_AT_MOST;
    const hopeless = exceeds || (mobile && need > MOBILE_BYTES.most);
    return { outcome: hopeless ? "does not fit" : "may not fit", reason: "memory" };
  }
  if (mobile) {
    if (need <= MOBILE_BYTES.fits) return undefined;
    const outcome = need > MOBILE_BYTES.most ? "does not fit" : "may not fit";
    return { outcome, reason: "mobile" };
  }
  if (memoryBytes !== undefined || need <= MODEST_BYTES) return undefined;
  return { outcome: "may not fit", reason: "unknown-memory" };
}

function checkBuffers({ maxBufferBytes }: DeviceInfo, need: number): Finding | undefined {
  if (need <= BUFFERS * maxBufferBytes) return undefined;
  return { outcome: "may not fit", reason: "small-buffers" };
}

function checkSoftware({ software }: DeviceInfo, need: number): Finding | undefined {
  if (!software || need <= MODEST_BYTES) return undefined;
  return { outcome: "may not fit", reason: "software" };
}
