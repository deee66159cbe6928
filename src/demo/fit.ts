import { type FitOutcome, type FitReason, type QuantizationName, estimateFit } from "../index.ts";
import type { Offer } from "./catalogue.ts";
import type { Device } from "./device.ts";
import { roughly } from "./format.ts";

/** Whether an offered model fits this device, with sentences for the reader. */
export interface OfferFit {
  readonly outcome: FitOutcome;
  /** What speaks against the model, what to try instead, and what else to know. */
  readonly remarks: readonly string[];
}

/** q4 is recommended if it takes less than this share of the memory. */
const MUCH_LESS = 0.75;

export function fitOf(device: Device, offer: Offer, quantization: QuantizationName): OfferFit {
  const { [quantization]: asked = 0, q4 = asked } = offer.gpuBytes;
  // "auto" takes fewer bits where the device has less memory than its number is for.
  const narrower = quantization === "auto" && estimateFit(asked, device).outcome !== "fits";
  const need = narrower ? Math.min(asked, q4) : asked;
  const { outcome, reasons } = estimateFit(need, device);
  const remarks = reasons.map((reason) => SENTENCES[reason](device));
  if (outcome !== "fits") {
    const q4Helps = q4 < MUCH_LESS * need;
    remarks.push(q4Helps ? "Try q4 under Advanced, or a smaller model." : "Try a smaller model.");
  }
  const { freeStorageBytes: free, stored } = device;
  if (free !== undefined && free < offer.downloadBytes && !stored.includes(offer.source)) {
    const size = roughly(Math.max(0, free));
    remarks.push(`Only ${size} can be stored here, so next time it is downloaded again.`);
  }
  return { outcome, remarks };
}

const SENTENCES: Readonly<Record<FitReason, (device: Device) => string>> = {
  memory: ({ memoryBytes = 0 }) =>
    `The device says that it has ${memoryBytes / 2 ** 30} GB of memory for everything.`,
  mobile: () => "Phones and tablets give a page little memory.",
  "unknown-memory": () => "This browser does not say how much memory there is.",
  "small-buffers": ({ maxBufferBytes }) =>
    `This GPU gives at most ${roughly(maxBufferBytes)} at once, as small ones do.`,
  software: () => "Without a GPU it takes the processor's memory.",
};
