import type { QuantizationName } from "../../src/weights/formats/registry.ts";
import { withPage } from "../open-page.ts";
import type * as model from "./page.ts";

declare global {
  interface Window {
    readonly model: typeof model;
  }
}

const MIB = 2 ** 20;

/**
 * Measures whole models and prints a table: the sample model, SmolVLM-256M's shapes, and those of larger
 * models with two layers of text model and vision tower each.
 */
export async function benchModels(select = ""): Promise<void> {
  await withPage("bench/model/index.html", "model", async (page) => {
    const runs: [name: model.ModelName, quantization: QuantizationName, tokens: number][] = [
      ["sample", "f32", 64],
      ["sample", "q4", 64],
      ["smolvlm-256m", "q4", 8],
      ["smolvlm-256m", "f32", 8],
      ["qwen2.5-vl-3b-cut", "q4", 8],
      ["llava-onevision-0.5b-cut", "q4", 8],
      ["llava-1.5-7b-cut", "q4", 8],
      ["internvl3-1b-cut", "q4", 8],
      ["lfm2-vl-450m-cut", "q4", 8],
      ["gemma-3-4b-cut", "q4", 8],
      ["paligemma-3b-cut", "q4", 8],
      ["llama-3.2-11b-cut", "q4", 8],
    ];
    for (const [name, quantization, tokens] of runs) {
      if (!`${name} ${quantization}`.includes(select)) continue;
      const result = await page.evaluate((run) => window.model.measure(...run), [
        name,
        quantization,
        tokens,
      ] as [model.ModelName, QuantizationName, number]);
      console.log(report(`${name} ${quantization}`, result));
    }
  });
}

function report(title: string, r: model.ModelResult): string {
  const lines = [
    ["decode", `${r.decodeTokensPerSecond.toFixed(2)} tokens/s`],
    ["prefill", `${r.prefillTokensPerSecond.toFixed(1)} tokens/s (${r.prefillRows} rows)`],
    ["vision", `${r.visionMs.toFixed(0)} ms (${r.visionPatches} patches)`],
    ["dispatches", `${r.dispatchesPerToken} a token, ${r.pipelines} pipelines in all`],
    ["script", `${r.scriptMsPerToken.toFixed(3)} ms a token`],
    [
      "GPU memory",
      `${(r.gpuBytes / MIB).toFixed(0)} MiB, ${(r.peakGpuBytes / MIB).toFixed(0)} at most`,
    ],
    ["a token", ""],
    ...profileLines(r.decodeProfile),
    ["a prefill", ""],
    ...profileLines(r.prefillProfile),
  ];
  return [title, ...lines.map(([name = "", value = ""]) => `  ${name.padEnd(11)}${value}`)].join(
    "\n",
  );
}

function profileLines(profile: model.Profile): [name: string, value: string][] {
  return profile.map(({ name, ms, count }) => ["", `${ms.toFixed(2)} ms in ${count} ${name}`]);
}
