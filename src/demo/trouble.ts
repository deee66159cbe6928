import { DeviceError, NoGpuError } from "../index.ts";

/** A failed load, explained to the user. */
export interface Trouble {
  readonly kind: "no-gpu" | "memory" | "storage" | "not-found" | "forbidden" | "network" | "other";
  readonly title: string;
  readonly advice: readonly string[];
}

const NO_GPU: Trouble = {
  kind: "no-gpu",
  title: "This browser has no WebGPU to run a model on",
  advice: [
    "Chrome and Edge have it. Safari has it from version 26, Firefox from 141 (Windows) or 145 (Macs).",
    "On Linux, Chrome may need chrome://flags/#enable-unsafe-webgpu and #enable-vulkan.",
    "Hardware acceleration must be on in the browser's settings.",
  ],
};

const INSECURE: Trouble = {
  ...NO_GPU,
  title: "Browsers give WebGPU to secure pages only",
  advice: ["Open this page over https, or from localhost."],
};

const MEMORY: Trouble = {
  kind: "memory",
  title: "The model does not fit into memory",
  advice: [
    "Choose a smaller model, or weights of fewer bits: q4 needs about a quarter of f16.",
    "Close other tabs that use the GPU.",
  ],
};

/** Errors of browsers and servers have no classes of their own. */
const TROUBLES: readonly (Trouble & { readonly pattern: RegExp })[] = [
  {
    kind: "storage",
    pattern: /StorageFullError/,
    title: "There is too little room to store the model",
    advice: ["Delete models that are no longer needed, or load this one without storing it."],
  },
  { ...MEMORY, pattern: /out of memory|out-of-memory|allocation|quota/i },
  {
    kind: "network",
    pattern: /\b429\b/,
    title: "The server limits the number of requests",
    advice: ["Try again in a few minutes. The download continues where it stopped."],
  },
  {
    kind: "not-found",
    pattern: /RepoNotFound|RevisionNotFound/,
    title: "There is no such model, or it is private",
    advice: [
      "A hub name looks like HuggingFaceTB/SmolVLM2-256M-Video-Instruct, with exact upper and lower case.",
    ],
  },
  {
    kind: "forbidden",
    pattern: /\b40[13]\b|gated|unauthorized|forbidden/i,
    title: "The hub refuses access to this model",
    advice: [
      "It is private or misspelled, or its authors require that their terms are accepted first.",
      "Choose an open model, or serve the files from a folder of your own and enter its URL.",
    ],
  },
  {
    kind: "not-found",
    pattern: /\b404\b|not found/i,
    title: "There is no such model",
    advice: [
      "A hub name looks like HuggingFaceTB/SmolVLM2-256M-Video-Instruct, with exact upper and lower case.",
      "A folder needs config.json, tokenizer.json and the weights as safetensors.",
    ],
  },
  {
    kind: "network",
    pattern: /can't be reached|failed to fetch|network|load failed|timed? ?out|\b5\d\d\b/i,
    title: "The download failed",
    advice: [
      "Check the connection and try again. The download continues where it stopped.",
      "A server of your own must allow other origins to read its files (CORS).",
    ],
  },
];

/** @param secure whether the page is a secure context; browsers offer WebGPU to no other */
export function explain(error: Error, secure = true): Trouble {
  if (error instanceof NoGpuError) return secure ? NO_GPU : INSECURE;
  if (error instanceof DeviceError) return MEMORY;
  const found = TROUBLES.find(({ pattern }) => pattern.test(`${error.name}: ${error.message}`));
  return found ?? { kind: "other", title: "The model did not load", advice: [] };
}
