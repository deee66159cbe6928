import { nameOf, SAMPLE } from "../catalogue.ts";
import { loadAs } from "../choose-model.ts";
import { show } from "../dialogs.ts";
import { bytes, remaining, waiting } from "../format.ts";
import { cancelLoad, loadModel, model, type ModelState } from "../model.ts";
import { settings } from "../settings.ts";
import { explain } from "../trouble.ts";

/** State and actions while no model is ready. */
export function LoadCard() {
  const state = model.value;
  switch (state.status) {
    case "loading":
      return <Loading state={state} />;
    case "failed":
      return <Failed state={state} />;
    case "none":
      return <NoModel />;
    case "ready":
      return null;
  }
}

type Of<Status> = Extract<ModelState, { status: Status }>;

function Loading({ state }: { state: Of<"loading"> }) {
  const { progress } = state;
  const total = progress?.totalBytes || undefined;
  return (
    <section class="load-card" aria-label="Loading the model">
      <div class="load-line">
        <strong>Loading {nameOf(state.source)}</strong>
        <button type="button" class="quiet" onClick={cancelLoad}>
          Cancel
        </button>
      </div>
      <progress
        aria-label={`Loading ${nameOf(state.source)}`}
        max={total ?? 1}
        value={total && progress?.loadedBytes}
      />
      <p class="load-detail">{detailOf(state)}</p>
      {state.auto && <p class="load-detail">auto: {state.auto}.</p>}
    </section>
  );
}

function detailOf({ progress }: Of<"loading">): string {
  if (!progress || progress.stage === "files") return "Reading its configuration…";
  const { stage, loadedBytes, totalBytes, networkBytes, bytesPerSecond, secondsLeft } = progress;
  if (stage === "waiting") return waiting(progress.waitSeconds);
  if (stage === "ready" || loadedBytes >= totalBytes) return "Preparing the GPU…";
  const parts = [`Weights: ${bytes(loadedBytes)} of ${bytes(totalBytes)}`];
  if (networkBytes === 0) parts.push("from this device");
  else if (progress.storedAs)
    parts.push(`downloading again: stored as ${progress.storedAs.join(", ")}`);
  else if (networkBytes >= loadedBytes) parts.push("downloading");
  else parts.push(`${bytes(networkBytes)} of it downloaded, the rest from this device`);
  if (bytesPerSecond) parts.push(`${bytes(bytesPerSecond)}/s`);
  if (secondsLeft !== undefined) parts.push(remaining(secondsLeft));
  return parts.join(" · ");
}

function Failed({ state: { source, error } }: { state: Of<"failed"> }) {
  const { kind, title, advice } = explain(error, isSecureContext);
  const q4Helps = kind === "memory" && settings.value.quantization !== "q4";
  return (
    <section class="load-card failed" role="alert">
      <strong>{title}</strong>
      {advice.length > 0 && (
        <ul>
          {advice.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      )}
      <p class="load-error">{error.message}</p>
      <div class="actions">
        <button type="button" class="primary" onClick={() => void loadModel(source)}>
          Try again
        </button>
        {kind === "storage" && (
          <>
            <button type="button" onClick={show("storage")}>
              Show what is stored
            </button>
            <button type="button" onClick={() => void loadModel(source, false)}>
              Load without storing
            </button>
          </>
        )}
        {q4Helps && (
          <button type="button" onClick={() => loadAs(source, "q4")}>
            Try with q4
          </button>
        )}
        {kind !== "no-gpu" && source !== SAMPLE && (
          <button type="button" onClick={() => loadAs(SAMPLE)}>
            Use the sample model
          </button>
        )}
        {kind !== "no-gpu" && (
          <button type="button" onClick={show("model")}>
            Choose another model
          </button>
        )}
      </div>
    </section>
  );
}

function NoModel() {
  return (
    <section class="load-card" aria-label="No model">
      <strong>No model is loaded</strong>
      <div class="actions">
        <button type="button" class="primary" onClick={() => loadAs(SAMPLE)}>
          Load the sample model
        </button>
        <button type="button" onClick={show("model")}>
          Choose a model
        </button>
      </div>
    </section>
  );
}
