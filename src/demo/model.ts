import { signal } from "@preact/signals";
import { type Progress, type Vlm, load } from "../index.ts";
import { nameOf } from "./catalogue.ts";
import { resolveFolder } from "./local.ts";
import { say } from "./notice.ts";
import { settings } from "./settings.ts";

/**
 * The state of the page's model. `source` is what the user entered, `auto` what "auto" has chosen for the
 * device.
 */
export type ModelState =
  | { readonly status: "none" }
  | {
      readonly status: "loading";
      readonly source: string;
      readonly progress: Progress | undefined;
      readonly auto?: string | undefined;
    }
  | {
      readonly status: "ready";
      readonly source: string;
      readonly id: string;
      readonly auto: string | undefined;
    }
  | { readonly status: "failed"; readonly source: string; readonly error: Error };

export const model = signal<ModelState>({ status: "none" });

let loading: AbortController | undefined;
let loaded: { vlm: Vlm; undo: () => void } | undefined;

const RECOVERING = "The GPU was lost. The model is loaded again, and the answer goes on.";
const NOT_STORED = "The model could not be stored here. The next visit downloads it again.";

/**
 * Replaces the loaded model by another one. The memory of the old one is freed first.
 *
 * @param cache whether the model is stored on this device
 */
export async function loadModel(source: string, cache = true): Promise<void> {
  loading?.abort();
  unload();
  const controller = (loading = new AbortController());
  const { signal: cancelled } = controller;
  model.value = { status: "loading", source, progress: undefined };
  try {
    const vlm = await load(resolveFolder(source), {
      cache,
      quantization: settings.value.quantization,
      signal: cancelled,
      onProgress: (progress) => {
        if (cancelled.aborted) return;
        showProgress(progress);
        if (progress.stage === "recovering") say(RECOVERING);
        if (progress.stage === "ready" && progress.stored === false) say(NOT_STORED);
      },
    });
    if (cancelled.aborted) return vlm.dispose();
    loaded = { vlm, undo: vlm.intercept() };
    const { auto } = await vlm.stats();
    model.value = { status: "ready", source, id: vlm.id, auto: auto?.reason };
  } catch (cause) {
    if (cancelled.aborted) return;
    const error = cause instanceof Error ? cause : new Error(String(cause));
    model.value = { status: "failed", source, error };
  }
}

function showProgress(progress: Progress): void {
  const state = model.value;
  if (state.status !== "loading") return;
  const auto = progress.auto ?? state.auto;
  model.value = { ...state, progress, auto };
}

export function cancelLoad(): void {
  loading?.abort();
  if (model.value.status === "loading") model.value = { status: "none" };
}

function unload(): void {
  loaded?.undo();
  loaded?.vlm.dispose();
  loaded = undefined;
}

/**
 * @returns the model's id, once it is loaded
 * @throws Error when loading fails or is cancelled; the signal's reason when it aborts
 */
export function whenReady(aborted: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    aborted.addEventListener("abort", () => reject(aborted.reason));
    const unsubscribe = model.subscribe((state) => {
      if (aborted.aborted || state.status !== "loading") queueMicrotask(() => unsubscribe());
      if (state.status === "ready") resolve(state.id);
      if (state.status === "failed")
        reject(new Error(`${nameOf(state.source)} did not load: ${state.error.message}`));
      if (state.status === "none") reject(new Error("No model is loaded."));
    });
  });
}
