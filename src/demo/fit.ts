import type { Offer } from "./catalogue.ts";
import { roughly } from "./format.ts";
import { gpuBytes } from "./gpu-bytes.ts";
import type { Quantization } from "./settings.ts";

/** What a browser tells of its device. No browser tells how much memory the GPU has. */
export interface Device {
  /** WebGPU runs on the processor. */
  readonly software: boolean;
  /** Limit of one buffer in bytes. */
  readonly maxBufferSize: number;
  /** `navigator.deviceMemory`, where there is one: a power of two, at most 8 in many browsers. */
  readonly memoryGiB?: number | undefined;
  /** A phone or tablet. */
  readonly mobile: boolean;
  /** What this site may still store, where the browser says. */
  readonly storageBytes?: number | undefined;
  /** Sources of which all weights are stored. */
  readonly kept: readonly string[];
}

/** From good to bad. */
export const OUTCOMES = ["fits", "may not fit", "does not fit"] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface Fit {
  readonly outcome: Outcome;
  /** Sentences: what speaks against it, what to try, and what else to know before. */
  readonly remarks: readonly string[];
}

interface Finding {
  readonly outcome: Outcome;
  readonly why: string;
}

const GIB = 2 ** 30;
/** Browsers that tell no more than this may mean more. */
const TOLD_AT_MOST_GIB = 8;
/** What a device whose browser says nothing is taken to have for a model. */
const UNTOLD_BYTES = 2 * GIB;
/** Phones end pages that take much of their memory. */
const MOBILE_BYTES = { fits: GIB, most: 3 * GIB };
/** GPUs of some size allow at least a quarter of their memory in one buffer. */
const BUFFERS = 4;
/** Below this a quantization counts as a way out. */
const MUCH_LESS = 0.75;

/**
 * Whether a device can hold a model, as far as can be told before it is downloaded. A GPU's memory
 * is the system's own on most devices, of which half is taken to be free.
 */
export function fit(device: Device, offer: Offer, quantization: Quantization): Fit {
  const need = gpuBytes(offer, quantization);
  const findings = find(device, need);
  const outcome = worst(findings);
  const remarks = findings.map(({ why }) => why);
  if (outcome !== "fits") {
    const q4Helps = gpuBytes(offer, "q4") < MUCH_LESS * need;
    remarks.push(q4Helps ? "Try q4 under Advanced, or a smaller model." : "Try a smaller model.");
  }
  const { storageBytes, kept } = device;
  if (
    storageBytes !== undefined &&
    storageBytes < offer.downloadBytes &&
    !kept.includes(offer.source)
  ) {
    const free = roughly(Math.max(0, storageBytes));
    remarks.push(`Only ${free} can be stored here, so next time it is downloaded again.`);
  }
  return { outcome, remarks };
}

function find(device: Device, need: number): Finding[] {
  const findings = [ofMemory(device, need), ofBuffers(device, need), ofProcessor(device, need)];
  return findings.filter((finding) => finding !== undefined);
}

function ofMemory({ memoryGiB, mobile }: Device, need: number): Finding | undefined {
  if (memoryGiB !== undefined && need > (memoryGiB * GIB) / 2) {
    const beyond = need > memoryGiB * GIB && memoryGiB < TOLD_AT_MOST_GIB;
    const why = `The device says that it has ${memoryGiB} GB of memory for everything.`;
    return {
      outcome: beyond || (mobile && need > MOBILE_BYTES.most) ? "does not fit" : "may not fit",
      why,
    };
  }
  if (mobile) {
    if (need <= MOBILE_BYTES.fits) return undefined;
    const outcome = need > MOBILE_BYTES.most ? "does not fit" : "may not fit";
    return { outcome, why: "Phones and tablets give a page little memory." };
  }
  if (memoryGiB !== undefined || need <= UNTOLD_BYTES) return undefined;
  return { outcome: "may not fit", why: "This browser does not say how much memory there is." };
}

function ofBuffers({ maxBufferSize }: Device, need: number): Finding | undefined {
  if (need <= BUFFERS * maxBufferSize) return undefined;
  const most = roughly(maxBufferSize);
  return {
    outcome: "may not fit",
    why: `This GPU gives at most ${most} at once, as small ones do.`,
  };
}

function ofProcessor({ software }: Device, need: number): Finding | undefined {
  if (!software || need <= UNTOLD_BYTES) return undefined;
  return { outcome: "may not fit", why: "Without a GPU it takes the processor's memory." };
}

function worst(findings: readonly Finding[]): Outcome {
  const ranks = findings.map(({ outcome }) => OUTCOMES.indexOf(outcome));
  return OUTCOMES[Math.max(0, ...ranks)] as Outcome;
}
