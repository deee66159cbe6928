import type { Engine } from "../src/engine/engine.ts";
import { KvCache } from "../src/engine/kv-cache.ts";
import { writePromptRows } from "../src/engine/prompt-rows.ts";
import type { Gpu } from "../src/gpu/device.ts";
import { Graph } from "../src/gpu/graph.ts";
import { bufferOf } from "../src/gpu/tensor.ts";
import type { Model, Weights } from "../src/models/model.ts";
import { ROW_WORDS } from "../src/ops/row.ts";

/**
 * A prompt's hidden states, computed one position after another.
 *
 * @param plansOf positions at which a plan is replayed before it is recorded again
 * @returns `[T]` of `[1, D]`
 */
export async function statesByPosition(
  gpu: Gpu,
  { model, weights, engine }: { model: Model; weights: Weights; engine: Engine },
  tokens: readonly number[],
  plansOf: number,
): Promise<Float32Array[]> {
  const cache = new KvCache(gpu, model.text, 256);
  const { layers, convolutions } = cache;
  const rows = gpu.tensor("rows", [1, ROW_WORDS], "u32");
  const words = new Uint32Array(ROW_WORDS);
  const record = async () => {
    const g = new Graph(gpu);
    const x = model.forward(g, weights, rows, engine.imageStates, layers, convolutions);
    return { x: g.keep(x), plan: await g.compile() };
  };
  cache.reserve(cache.begin(tokens), tokens.length);
  const states: Float32Array[] = [];
  let recorded = await record();
  for (let position = 0; position < tokens.length; position++) {
    if (position > 0 && position % plansOf === 0) {
      recorded.plan.dispose();
      recorded = await record();
    }
    writePromptRows(words, { tokens }, position, 1);
    gpu.write(rows, words);
    recorded.plan.submit();
    states.push(await gpu.read(recorded.x));
  }
  recorded.plan.dispose();
  gpu.release(bufferOf(rows));
  return states;
}
