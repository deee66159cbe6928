/** A failed load in words for whoever sees it. */
export interface Trouble {
  readonly kind: "no-gpu" | "memory" | "not-found" | "forbidden" | "network" | "other";
  readonly title: string;
  readonly advice: readonly string[];
}

const NO_GPU: Trouble = {
  kind: "no-gpu",
  title: "This browser has no WebGPU to run a model on",
  advice: [
    "Chrome and Edge have it, Safari from 26 on, Firefox from 141 on Windows and 145 on Macs.",
    "On Linux, Chrome may want chrome://flags/#enable-unsafe-webgpu and #enable-vulkan switched on.",
    "Hardware acceleration must be on in the browser's settings.",
  ],
};

const INSECURE: Trouble = {
  ...NO_GPU,
  title: "Browsers give WebGPU to secure pages only",
  advice: ["Open this page over https, or from localhost."],
};

const TROUBLES: readonly (Trouble & { readonly pattern: RegExp })[] = [
  {
    kind: "memory",
    pattern: /out of memory|out-of-memory|allocation|device (was )?lost|quota/i,
    title: "The model does not fit into memory",
    advice: [
      "Take a smaller model, or weights in fewer bits: q4 needs about a quarter of f16.",
      "Other tabs that use the GPU take their share; closing them helps.",
    ],
  },
  {
    kind: "forbidden",
    pattern: /\b40[13]\b|gated|unauthorized|forbidden/i,
    title: "The hub does not give this model to everyone",
    advice: [
      "It is private, or gated behind terms that its authors ask to be accepted, or misspelled.",
      "Take an open model, or serve the files from a folder of your own and give its URL.",
    ],
  },
  {
    kind: "not-found",
    pattern: /\b404\b|not found/i,
    title: "There is no such model",
    advice: [
      "A hub name looks like HuggingFaceTB/SmolVLM2-256M-Video-Instruct; mind upper and lower case.",
      "A folder needs config.json, tokenizer.json and the weights as safetensors.",
    ],
  },
  {
    kind: "network",
    pattern: /failed to fetch|networkerror|network|load failed|timed? ?out|\b5\d\d\b/i,
    title: "The download failed",
    advice: [
      "Check the connection and try again: what has arrived is kept, so it goes on from there.",
      "A server of your own must allow other origins to read its files (CORS).",
    ],
  },
];

/** @param secure whether the page is a secure context, without which no browser offers WebGPU */
export function explain(error: Error, secure = true): Trouble {
  if (error.name === "NoGpuError") return secure ? NO_GPU : INSECURE;
  const found = TROUBLES.find(({ pattern }) => pattern.test(`${error.name}: ${error.message}`));
  return found ?? { kind: "other", title: "The model did not load", advice: [] };
}
