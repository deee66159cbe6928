import { weightBytes } from "../../src/gpu/weight.ts";
import { type Matrix, type Product, ROWS, type Result } from "./cases.ts";
import { openSession, theirs } from "./ort.ts";
import { openOurs, ours, releaseWeight, uploadWeight } from "./ours.ts";
import { type Contender, race } from "./timing.ts";
import { makeSource, randomValues } from "./weights.ts";

/** How much the products may differ, relative to the largest value. */
const AGREEMENT = { f32: 1e-4, q8: 1e-2, q6: 5e-2, q4: 1e-4 } as const;

let gpu: ReturnType<typeof openOurs> | undefined;

/** @returns the adapter's name */
export async function adapterName(): Promise<string> {
  const { vendor, architecture, device, description } = (await (gpu ??= openOurs())).adapter;
  return [vendor, architecture, device, description].filter(Boolean).join(" ");
}

/** Times the products of one matrix. Throws Error when the two results of a product differ. */
export async function measure(matrix: Matrix, wasmPath: string): Promise<Result[]> {
  const own = await (gpu ??= openOurs());
  const source = makeSource(matrix);
  const weight = await uploadWeight(own, matrix, source);
  const session = await openSession(matrix, source, wasmPath);
  const results: Result[] = [];
  for (const T of ROWS) {
    const x = randomValues(T * matrix.D);
    const contenders = [await ours(own, weight, x), await theirs(session, matrix.D, x)] as const;
    const [oursMs = NaN, ortMs = NaN] = await race(contenders);
    await expectAgreement(...contenders, { ...matrix, T });
    results.push({ ...matrix, T, oursMs, ortMs, weightBytes: weightBytes(weight) });
    for (const contender of contenders) contender.dispose();
  }
  releaseWeight(own, weight);
  await session.release();
  return results;
}

async function expectAgreement(a: Contender, b: Contender, product: Product): Promise<void> {
  const [ya, yb] = [await a.read(), await b.read()];
  let [difference, largest] = [0, 0];
  for (let i = 0; i < ya.length; i++) {
    difference = Math.max(difference, Math.abs(ya[i]! - yb[i]!));
    largest = Math.max(largest, Math.abs(yb[i]!));
  }
  if (ya.length !== yb.length || !(difference <= AGREEMENT[product.format] * largest)) {
    throw new Error(`bench: products differ by ${difference}: ${JSON.stringify(product)}`);
  }
}
