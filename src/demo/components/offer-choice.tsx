import type { Offer } from "../catalogue.ts";
import { device } from "../device.ts";
import { fit, type Outcome } from "../fit.ts";
import { roughly } from "../format.ts";
import { gpuBytes } from "../gpu-bytes.ts";
import type { Quantization } from "../settings.ts";

interface Props {
  offer: Offer;
  quantization: Quantization;
  checked: boolean;
  onChoose: () => void;
}

/** A model with what it costs: to download, on the GPU, and by its license. */
export function OfferChoice({ offer, quantization, checked, onChoose }: Props) {
  const kept = device.value?.kept.includes(offer.source);
  return (
    <label class="offer">
      <input type="radio" name="model" checked={checked} onChange={onChoose} />
      <span class="offer-text">
        <span class="offer-title">
          <strong>{offer.name}</strong>
          <span class="size">
            {roughly(offer.downloadBytes)} {kept ? "on this device" : "download"}
          </span>
        </span>
        <span class="hint">{offer.about}</span>
        <Cost offer={offer} quantization={quantization} />
      </span>
    </label>
  );
}

const SAID: Record<Outcome, string> = {
  fits: "should fit",
  "may not fit": "may not fit",
  "does not fit": "does not fit",
};

function Cost({ offer, quantization }: Pick<Props, "offer" | "quantization">) {
  const found = device.value && fit(device.value, offer, quantization);
  return (
    <span class="hint cost">
      {roughly(gpuBytes(offer, quantization))} on the GPU
      {found && (
        <>
          , <span data-outcome={found.outcome}>{SAID[found.outcome]}</span>
        </>
      )}{" "}
      <span class="license">· {offer.license}</span>
      {found && found.remarks.length > 0 && <span class="remarks">{found.remarks.join(" ")}</span>}
    </span>
  );
}
