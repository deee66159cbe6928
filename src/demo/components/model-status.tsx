import { nameOf } from "../catalogue.ts";
import { model, type ModelState } from "../model.ts";

/**
 * One line for screen readers. It changes with the stage, not with every byte. It is visible only when
 * the load card is gone.
 */
export function ModelStatus() {
  return (
    <p class="model-status" role="status" data-status={model.value.status}>
      {describe(model.value)}
    </p>
  );
}

function describe(state: ModelState): string {
  switch (state.status) {
    case "none":
      return "No model is loaded.";
    case "loading":
      return `Loading ${nameOf(state.source)}…`;
    case "ready":
      return `${nameOf(state.source)} is ready. Nothing leaves this device.`;
    case "failed":
      return `${nameOf(state.source)} did not load.`;
  }
}
