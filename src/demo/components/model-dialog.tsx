import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type QuantizationName, QUANTIZATION_SUMMARIES } from "../../index.ts";
import { offerOf, OFFERS } from "../catalogue.ts";
import { doubtful, isDoubtful, loadAs } from "../choose-model.ts";
import { checkDevice, device } from "../device.ts";
import { closeDialog } from "../dialogs.ts";
import { model } from "../model.ts";
import { settings } from "../settings.ts";
import { Dialog } from "./dialog.tsx";
import { FolderChoice } from "./folder-choice.tsx";
import { LoadAnyway } from "./load-anyway.tsx";
import { OfferChoice } from "./offer-choice.tsx";

export function ModelDialog() {
  return (
    <Dialog name="model" title="Choose a model">
      <ModelForm />
    </Dialog>
  );
}

function ModelForm() {
  const current = model.value.status === "none" ? OFFERS[0]!.source : model.value.source;
  const initial = doubtful.value ?? current;
  const offered = offerOf(initial) !== undefined;
  const chosen = useSignal(offered ? initial : "");
  const typed = useSignal(offered ? "" : initial);
  const quantization = useSignal(settings.value.quantization);
  const asking = useSignal(doubtful.value !== undefined);
  const form = useRef<HTMLFormElement>(null);
  const source = chosen.value || typed.value.trim();

  useEffect(() => {
    void checkDevice();
    // The dialog opens before the next frame.
    requestAnimationFrame(() => {
      form.current?.querySelector(".offer:has(:checked)")?.scrollIntoView({ block: "center" });
    });
    return () => (doubtful.value = undefined);
  }, []);

  const choose = (source: string) => {
    chosen.value = source;
    asking.value = false;
  };
  const load = () => {
    closeDialog();
    loadAs(source, quantization.value);
  };
  const submit = (event: Event) => {
    event.preventDefault();
    if (!source) return;
    asking.value = isDoubtful(source, quantization.value);
    if (!asking.value) load();
  };

  return (
    <form ref={form} class="dialog-body" onSubmit={submit}>
      {device.value?.software && (
        <p class="hint">
          No GPU is in use here. The processor does the work, many times slower than a GPU.
        </p>
      )}
      <fieldset class="offers">
        <legend class="visually-hidden">Model</legend>
        {OFFERS.map((offer) => (
          <OfferChoice
            key={offer.source}
            offer={offer}
            quantization={quantization.value}
            checked={chosen.value === offer.source}
            onChoose={() => choose(offer.source)}
          />
        ))}
        <label class="offer">
          <input
            type="radio"
            name="model"
            checked={chosen.value === ""}
            onChange={() => choose("")}
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
              onFocus={() => choose("")}
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
            onChange={(event) => {
              quantization.value = event.currentTarget.value as QuantizationName;
              asking.value = false;
            }}
          >
            {Object.entries(QUANTIZATION_SUMMARIES).map(([name, summary]) => (
              <option key={name} value={name}>
                {name}: {summary}
              </option>
            ))}
          </select>
        </label>
        {model.value.status === "ready" && model.value.auto && (
          <p class="hint">The loaded model: {model.value.auto}.</p>
        )}
      </details>
      <FolderChoice />
      <p class="hint">
        A model is downloaded once and then read from this device. Whether it fits is an estimate:
        browsers do not say how much memory a GPU has.
      </p>
      {asking.value ? (
        <LoadAnyway source={source} onLoad={load} onBack={() => (asking.value = false)} />
      ) : (
        <div class="actions end dialog-actions">
          <button type="button" onClick={closeDialog}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={!source}>
            Load
          </button>
        </div>
      )}
    </form>
  );
}
