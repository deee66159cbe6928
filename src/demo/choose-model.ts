import { signal } from "@preact/signals";
import { putModelInAddress } from "./address.ts";
import { offerOf, SAMPLE } from "./catalogue.ts";
import { device, lookAtDevice } from "./device.ts";
import { openDialog } from "./dialogs.ts";
import { fit } from "./fit.ts";
import { loadModel } from "./model.ts";
import { change, type Quantization, settings } from "./settings.ts";

/** The model that the dialog shall ask about when it opens. */
export const doubtful = signal<string | undefined>(undefined);

/** Loads what somebody chose, and remembers the choice. */
export function loadAs(source: string, quantization: Quantization = settings.value.quantization) {
  change({ quantization });
  putModelInAddress(source);
  void loadModel(source);
}

/** Loads a model; where this device seems not to hold it, asks first. */
export async function loadOrAsk(source: string): Promise<void> {
  if (source !== SAMPLE && offerOf(source)) {
    await lookAtDevice();
    if (isDoubtful(source, settings.value.quantization)) {
      doubtful.value = source;
      openDialog.value = "model";
      return;
    }
  }
  loadAs(source);
}

/** @returns whether a download would be for nothing, as far as can be told */
export function isDoubtful(source: string, quantization: Quantization): boolean {
  const offer = offerOf(source);
  if (!offer || !device.value || device.value.kept.includes(source)) return false;
  return fit(device.value, offer, quantization).outcome === "does not fit";
}
