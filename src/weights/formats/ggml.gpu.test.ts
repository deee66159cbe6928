import { expect, test } from "vitest";
import { decodeWeight } from "../../../tests/decode-weight.ts";
import { GGML_CASES } from "../../../tests/ggml-formats.ts";
import { random, testGpu } from "../../../tests/support.ts";
import { formatFits } from "../format.ts";

/**
 * Rows that are looked up are those of `weight4`. Products with unit vectors are exact, so they are the
 * columns that `weight8` reads. Rows get smaller by a factor of 10, so that scales are subnormal, too.
 */
test.each(GGML_CASES)("kernels decode $title as the reference does", async (c) => {
  const { format, reference } = c;
  const gpu = await testGpu();
  // An odd number of blocks where that is a multiple of 8.
  const [O, D] = [5, formatFits(format, 96) ? 96 : 768];
  const source = random(O * D, 3).map((value, i) => value / 10 ** Math.floor(i / D));
  const parts = reference.pack(source, D, format);
  // No -0, which sums of products don't keep.
  const values = reference.unpack(parts, [O, D], format).map((value) => value + 0);
  const { rows, columns } = await decodeWeight(gpu, format, [O, D], parts);
  expect(rows.map((value) => value + 0)).toEqual(values);
  expect(columns.map((value) => value + 0)).toEqual(
    values.map((_, i) => values[(i % O) * D + Math.floor(i / O)]!),
  );
});
