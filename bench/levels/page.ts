import { type Gpu, openGpu } from "../../src/gpu/device.ts";
import { loadShaders } from "../../src/gpu/shaders/load-shaders.ts";
import { openEngine, openGolden, tokensKept } from "../../tests/golden.ts";
import type { Kept, Level } from "./levels.ts";

let gpu: Promise<Gpu> | undefined;

/** @returns the tokens of a golden folder's cases that a level keeps */
export async function measure(folder: string, level: Level): Promise<Kept> {
  gpu ??= navigator.gpu.requestAdapter().then((adapter) => openGpu(adapter!, loadShaders));
  const { checkpoint, cases } = await openGolden(folder);
  const { quantization, kvCache = "f32" } = level;
  const options = { contextLength: 1024, prefillRows: 128, kvCache };
  const { engine, model, weights } = await openEngine(await gpu, checkpoint, quantization, options);
  let [kept, all] = [0, 0];
  for (const case_ of cases.filter(({ name }) => ["image", "text"].includes(name))) {
    const matches = await tokensKept(engine, case_, model);
    kept += matches.filter(Boolean).length;
    all += matches.length;
  }
  weights.dispose();
  return { kept, all };
}
