import type { QuantizationName } from "../../src/weights/formats/registry.ts";
import { SHAPES } from "../../tests/families.ts";
import { withPage } from "../open-page.ts";
import type * as model from "./page.ts";

declare global {
  interface Window {
    readonly model: typeof model;
  }
}

type Run = readonly [shape: string | undefined, quantization: QuantizationName, tokens: number];

const MIB = 2 ** 20;

/**
 * Measures whole models and prints a table: the sample model, SmolVLM-256M's shapes, and those of larger
 * models with two layers of text model and vision tower each.
 */
export async function benchModels(select = ""): Promise<void> {
  await withPage("bench/model/index.html", "model", async (page) => {
    const benched = SHAPES.filter(({ bench }) => bench).map(({ name }) => name);
    const runs: readonly Run[] = [
      [undefined, "f32", 64],
      [undefined, "q4", 64],
      ...benched.map((shape) => [shape, "q4", 8] as const),
      ["SmolVLM-256M", "f32", 8],
    ];
    for (const [shape, quantization, tokens] of runs) {
      const title = `${shape ?? "sample"} ${quantization}`;
      if (!title.includes(select)) continue;
      const run = [shape, quantization, tokens] as const;
      const result = await page.evaluate((run) => window.model.measure(...run), run);
      console.log(report(title, result));
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
