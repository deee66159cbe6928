import { useSyncExternalStore } from "react";
import { type Progress, type Vlm, load } from "webvlm";

export type ModelState =
  | { readonly status: "loading"; readonly progress?: Progress }
  | { readonly status: "ready"; readonly vlm: Vlm }
  | { readonly status: "failed"; readonly error: Error; retry(): void };

/**
 * A model that components share. It is loaded while at least one component uses it. When the last one
 * is gone, its GPU memory is freed.
 */
export function useModel(source: string): ModelState {
  const { subscribe, getSnapshot } = modelStore(source);
  return useSyncExternalStore(subscribe, getSnapshot);
}

interface ModelStore {
  subscribe(listener: () => void): () => void;
  getSnapshot(): ModelState;
}

const stores = new Map<string, ModelStore>();

function modelStore(source: string): ModelStore {
  let store = stores.get(source);
  if (!store) stores.set(source, (store = createStore(source)));
  return store;
}

function createStore(source: string): ModelStore {
  const listeners = new Set<() => void>();
  let state: ModelState = { status: "loading" };
  /** Aborts when no component uses the model. */
  let use: AbortController | undefined;

  const set = (next: ModelState): void => {
    state = next;
    for (const listener of listeners) listener();
  };

  const start = async (): Promise<void> => {
    const { signal } = (use = new AbortController());
    set({ status: "loading" });
    try {
      const vlm = await load(source, {
        signal,
        onProgress: (progress) => {
          if (!signal.aborted) set({ status: "loading", progress });
        },
      });
      if (signal.aborted) return vlm.dispose();
      signal.addEventListener("abort", () => vlm.dispose());
      set({ status: "ready", vlm });
    } catch (error) {
      if (signal.aborted) return;
      set({ status: "failed", error: error as Error, retry: () => void start() });
    }
  };

  return {
    getSnapshot: () => state,
    subscribe(listener) {
      listeners.add(listener);
      if (!use) void start();
      return () => {
        listeners.delete(listener);
        // Deferred: strict mode and a change of pages subscribe again at once.
        setTimeout(() => {
          if (listeners.size > 0) return;
          use?.abort();
          use = undefined;
          state = { status: "loading" };
        });
      };
    },
  };
}
