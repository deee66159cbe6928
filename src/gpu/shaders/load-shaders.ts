import type { LoadShaders } from "../kernels.ts";

/**
 * Loads the WGSL that only one kind of adapter runs. Each kind is a file of its own. A worker whose script is
 * inlined in a page can't import files, so the page does it (worker/load-in-worker.ts).
 */
export const loadShaders: LoadShaders = async (kind) =>
  kind === "software" ? import("./software.ts") : import("./hardware.ts");
