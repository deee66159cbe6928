import { putModelInAddress } from "./address.ts";
import { loadModel } from "./model.ts";
import { change, type Quantization, settings } from "./settings.ts";

/** Loads what somebody chose, and remembers the choice. */
export function loadAs(source: string, quantization: Quantization = settings.value.quantization) {
  change({ quantization });
  putModelInAddress(source);
  void loadModel(source);
}
