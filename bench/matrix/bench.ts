import { withPage } from "../open-page.ts";
import { MATRICES, type Result } from "./cases.ts";
import type * as Page from "./page.ts";

declare global {
  interface Window {
    matrix: typeof Page;
  }
}

const ORT = "/node_modules/onnxruntime-web/dist/";

/**
 * Times our matrix products and onnxruntime-web's in one page on one adapter, and prints each result at
 * once.
 *
 * @param select runs only matrices whose name ("q4 2048x11008") includes this
 */
export function benchMatrix(select = ""): Promise<Result[]> {
  return withPage("bench/matrix/index.html", "matrix", async (page) => {
    const adapter = await page.evaluate(() => window.matrix.adapterName());
    console.log(`matrix products on ${adapter}: y[T, O] = x[T, D] W[O, D]^T`);
    console.log(line(HEADINGS));
    const results: Result[] = [];
    for (const matrix of MATRICES) {
      if (!`${matrix.format} ${matrix.D}x${matrix.O}`.includes(select)) continue;
      const measured = await page.evaluate(([matrix, ort]) => window.matrix.measure(matrix, ort), [
        matrix,
        ORT,
      ] as const);
      for (const result of measured) console.log(line(row(result)));
      results.push(...measured);
    }
    return results;
  });
}

const HEADINGS = [
  "format", "D x O", "T", "ours ms", "GFLOP/s", "GB/s", "ort ms", "GFLOP/s", "ort/ours",
]; // prettier-ignore

function row({ format, D, O, T, oursMs, ortMs, weightBytes }: Result): string[] {
  const gflops = (ms: number) => ((2 * T * D * O) / ms / 1e6).toFixed(2);
  return [
    format,
    `${D}x${O}`,
    `${T}`,
    oursMs.toFixed(2),
    gflops(oursMs),
    (weightBytes / oursMs / 1e6).toFixed(2),
    ortMs.toFixed(2),
    gflops(ortMs),
    `${(ortMs / oursMs).toFixed(2)}x`,
  ];
}

function line(cells: readonly string[]): string {
  return cells.map((cell, i) => (i < 2 ? cell.padEnd(11) : cell.padStart(9))).join("");
}
