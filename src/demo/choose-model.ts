import { signal } from "@preact/signals";
import type { QuantizationName } from "../index.ts";
import { putModelInAddress } from "./address.ts";
import { offerOf, SAMPLE } from "./catalogue.ts";
import { checkDevice, device } from "./device.ts";
import { openDialog } from "./dialogs.ts";
import { fitOf } from "./fit.ts";
import { isFolder } from "./local.ts";
import { loadModel } from "./model.ts";
import { change, settings } from "./settings.ts";

/** The model that the dialog asks about when it opens. */
export const doubtful = signal<string | undefined>(undefined);

/** Loads the chosen model, and remembers the choice. */
export function loadAs(
  source: string,
  quantization: QuantizationName = settings.value.quantization,
) {
  change({ quantization });
  // A folder can't be opened by an address.
  putModelInAddress(isFolder(source) ? SAMPLE : source);
  void loadModel(source);
}

/** Loads a model. Asks first if it seems not to fit this device. */
export async function loadOrAsk(source: string): Promise<void> {
  if (source !== SAMPLE && offerOf(source)) {
    await checkDevice();
    if (isDoubtful(source, settings.value.quantization)) {
      doubtful.value = source;
      openDialog.value = "model";
      return;
    }
  }
  loadAs(source);
}

/** @returns whether a download would probably be in vain */
export function isDoubtful(source: string, quantization: QuantizationName): boolean {
  const offer = offerOf(source);
  if (!offer || !device.value || device.value.stored.includes(source)) return false;
  return fitOf(device.value, offer, quantization).outcome === "does not fit";
}
