import type { FitOutcome, QuantizationName } from "../../index.ts";
import type { Offer } from "../catalogue.ts";
import { device } from "../device.ts";
import { fitOf } from "../fit.ts";
import { roughly } from "../format.ts";

interface Props {
  offer: Offer;
  quantization: QuantizationName;
  checked: boolean;
  onChoose: () => void;
}

/** An offered model with its costs: download size, GPU memory and license. */
export function OfferChoice({ offer, quantization, checked, onChoose }: Props) {
  const stored = device.value?.stored.includes(offer.source);
  return (
    <label class="offer">
      <input type="radio" name="model" checked={checked} onChange={onChoose} />
      <span class="offer-text">
        <span class="offer-title">
          <strong>{offer.name}</strong>
          <span class="size">
            {roughly(offer.downloadBytes)} {stored ? "on this device" : "download"}
          </span>
        </span>
        <span class="hint">{offer.about}</span>
        <Cost offer={offer} quantization={quantization} />
      </span>
    </label>
  );
}

const OUTCOME_TEXTS: Readonly<Record<FitOutcome, string>> = {
  fits: "should fit",
  "may not fit": "may not fit",
  "does not fit": "does not fit",
};

function Cost({ offer, quantization }: Pick<Props, "offer" | "quantization">) {
  const bytes = offer.gpuBytes[quantization];
  const fit = device.value && fitOf(device.value, offer, quantization);
  return (
    <span class="hint cost">
      {bytes === undefined ? "Memory unknown" : `${roughly(bytes)} on the GPU`}
      {fit && (
        <>
          , <span data-outcome={fit.outcome}>{OUTCOME_TEXTS[fit.outcome]}</span>
        </>
      )}{" "}
      <span class="license">· {offer.license}</span>
      {fit && fit.remarks.length > 0 && <span class="remarks">{fit.remarks.join(" ")}</span>}
    </span>
  );
}
