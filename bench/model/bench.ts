import type { Quantization } from "../../src/weights/choose-format.ts";
import { withPage } from "../open-page.ts";
import type * as model from "./page.ts";

declare global {
  interface Window {
    readonly model: typeof model;
  }
}

const MIB = 2 ** 20;

/** Measures whole models and prints a table: SmolVLM-256M's shape, and the sample model. */
export async function benchModels(select = ""): Promise<void> {
  await withPage("bench/model/index.html", "model", async (page) => {
    const runs: [name: string, quantization: Quantization, tokens: number][] = [
      ["sample", "f32", 64],
      ["sample", "q4", 64],
      ["smolvlm-256m", "q4", 8],
      ["smolvlm-256m", "f32", 8],
    ];
    for (const [name, quantization, tokens] of runs) {
      if (!`${name} ${quantization}`.includes(select)) continue;
      const result = await page.evaluate(
        ([name, quantization, tokens]) =>
          name === "sample"
            ? window.model.measureSample(quantization, tokens)
            : window.model.measureSmolvlm256m(quantization, tokens),
        [name, quantization, tokens] as const,
      );
      console.log(report(`${name} ${quantization}`, result));
    }
  });
}

function report(title: string, r: model.ModelResult): string {
  const lines = [
    ["decode", `${r.decodeTokensPerSecond.toFixed(2)} tokens/s`],
    ["prefill", `${r.prefillTokensPerSecond.toFixed(1)} tokens/s (${r.prefillRows} rows)`],
    ["vision", `${r.visionMsPerTile.toFixed(0)} ms a tile`],
    ["dispatches", `${r.dispatchesPerToken} a token, ${r.pipelines} pipelines in all`],
    ["script", `${r.scriptMsPerToken.toFixed(3)} ms a token`],
    [
      "GPU memory",
      `${(r.weightBytes / MIB).toFixed(0)} MiB, ${(r.peakGpuBytes / MIB).toFixed(0)} at most`,
    ],
    ...r.decodeProfile
      .slice(0, 6)
      .map(({ name, ms, count }) => ["", `${ms.toFixed(2)} ms in ${count} ${name}`]),
  ];
  return [title, ...lines.map(([name = "", value = ""]) => `  ${name.padEnd(11)}${value}`)].join(
    "\n",
  );
}
