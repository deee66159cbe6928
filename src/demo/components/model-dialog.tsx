import { useSignal } from "@preact/signals";
import { type Offer, OFFERS } from "../catalogue.ts";
import { loadAs } from "../choose-model.ts";
import { closeDialog } from "../dialogs.ts";
import { model } from "../model.ts";
import { QUANTIZATIONS, type Quantization, settings } from "../settings.ts";
import { Dialog } from "./dialog.tsx";

const HINTS: Record<Quantization, string> = {
  auto: "auto: as the checkpoint has them",
  f32: "f32: exact, most memory",
  f16: "f16: half of it",
  q8: "q8: a quarter, nearly as good",
  q4: "q4: an eighth, least memory",
};

export function ModelDialog() {
  return (
    <Dialog name="model" title="Choose a model">
      <ModelForm />
    </Dialog>
  );
}

function ModelForm() {
  const current = model.value.status === "none" ? OFFERS[0]!.source : model.value.source;
  const offered = OFFERS.some((offer) => offer.source === current);
  const chosen = useSignal(offered ? current : "");
  const typed = useSignal(offered ? "" : current);
  const quantization = useSignal(settings.value.quantization);
  const source = chosen.value || typed.value.trim();

  const submit = (event: Event) => {
    event.preventDefault();
    if (!source) return;
    closeDialog();
    loadAs(source, quantization.value);
  };

  return (
    <form class="dialog-body" onSubmit={submit}>
      <fieldset class="offers">
        <legend class="visually-hidden">Model</legend>
        {OFFERS.map((offer) => (
          <OfferChoice
            key={offer.source}
            offer={offer}
            checked={chosen.value === offer.source}
            onChoose={() => (chosen.value = offer.source)}
          />
        ))}
        <label class="offer">
          <input
            type="radio"
            name="model"
            checked={chosen.value === ""}
            onChange={() => (chosen.value = "")}
          />
          <span class="offer-text">
            <strong>Another model</strong>
            <input
              type="text"
              class="field"
              aria-label="Hub name or URL of a folder"
              placeholder="org/name, or the URL of a folder"
              autocomplete="off"
              autocapitalize="off"
              spellcheck={false}
              value={typed}
              onFocus={() => (chosen.value = "")}
              onInput={(event) => (typed.value = event.currentTarget.value)}
            />
          </span>
        </label>
      </fieldset>
      <details>
        <summary>Advanced</summary>
        <label class="setting">
          <span>Weights on the GPU</span>
          <select
            class="field"
            value={quantization}
            onChange={(event) => (quantization.value = event.currentTarget.value as Quantization)}
          >
            {QUANTIZATIONS.map((name) => (
              <option key={name} value={name}>
                {HINTS[name]}
              </option>
            ))}
          </select>
        </label>
      </details>
      <p class="hint">
        A model is downloaded once and then read from this device. Its size is what goes over the
        network.
      </p>
      <div class="actions end">
        <button type="button" onClick={closeDialog}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={!source}>
          Load
        </button>
      </div>
    </form>
  );
}

interface OfferProps {
  offer: Offer;
  checked: boolean;
  onChoose: () => void;
}

function OfferChoice({ offer, checked, onChoose }: OfferProps) {
  return (
    <label class="offer">
      <input type="radio" name="model" checked={checked} onChange={onChoose} />
      <span class="offer-text">
        <span class="offer-title">
          <strong>{offer.name}</strong>
          <span class="size">{offer.download}</span>
        </span>
        <span class="hint">{offer.about}</span>
      </span>
    </label>
  );
}
