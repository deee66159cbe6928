import type { LoadShaders } from "../kernels.ts";

/**
 * Loads the WGSL that only one kind of adapter runs. Each kind is a file of its own. A worker whose script is
 * inlined in a page can't import files, so the page does it (worker/load-in-worker.ts).
 */
export const loadShaders: LoadShaders = async (kind) => {
  // A copy of the module, which itself can't be posted.
  if (kind === "software") return { software: (await import("./software.ts")).software };
  return { hardware: (await import("./hardware.ts")).hardware };
};
