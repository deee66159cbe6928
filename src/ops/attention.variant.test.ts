import { describe, test } from "vitest";
import {
  HEADS as ALL_HEADS,
  causal,
  checkImages,
  checkPaged,
} from "../../tests/attention-cases.ts";
import { GPU_KERNELS } from "../../tests/variants.ts";
import { IDLE_ROW, type Row } from "./row.ts";

// lavapipe takes seconds to compile a kernel, and more for more queries.
const HEADS =
  process.env.WEBVLM_VARIANTS === "all"
    ? ALL_HEADS
    : ALL_HEADS.filter(({ H, K, C }) => H / K <= 3 || C === 256);

describe.each(GPU_KERNELS)("attention on GPUs with $name", (kernels) => {
  test.each(HEADS)("to keys in pages: $H/$K heads of $C", async (heads) => {
    for (const count of [1, 65, 200]) {
      await checkPaged(causal(1, count - 1, 1), { ...heads, kernels }, 5);
    }
    await checkPaged(causal(2, 120, 3), { ...heads, kernels }, 5);
  });

  test.each(HEADS.filter(({ C }) => C === 80))("kept in f16: $H/$K heads of $C", async (heads) => {
    await checkPaged(causal(1, 199, 1), { ...heads, kernels }, 5, "f16");
  });

  const heads = { H: 6, K: 2, C: 64, kernels };

  test("rows of several sequences, some idle", async () => {
    const rows = Array.from({ length: 5 }, (_, i) => {
      return i % 5 === 3 ? IDLE_ROW : (causal((i * 2) % 3, (i * 37) % 250, 1)[0] as Row);
    });
    await checkPaged(rows, heads, 5);
    await checkPaged([IDLE_ROW], heads, 2);
  });

  test("ranges that start and end inside a page, windows, caps, many pages", async () => {
    const rows = Array.from({ length: 4 }, (_, i) => {
      return { ...IDLE_ROW, sequence: 1, first: 30 + 5 * i, last: 90 + 7 * i };
    });
    await checkPaged(rows, heads, 5);
    await checkPaged(causal(0, 180, 2, 70), { ...heads, range: "window" }, 5);
    await checkPaged(causal(1, 90, 3), { ...heads, softcap: 1 }, 5);
    await checkPaged(causal(1, 90, 3), { ...heads, softcap: 0.01 }, 5);
    await checkPaged(causal(0, 5000, 1), heads, 80);
  });

  test("to cross-attention keys", async () => {
    const ranges: [number, number][] = [
      [1, 0],
      [30, 96],
      [100, 249],
      [140, 170],
      [0, 149],
      [299, 299],
    ];
    const rows = ranges.map(([crossFirst, crossLast], i) => {
      return { ...(causal(0, 3 + i, 1)[0] as Row), crossFirst, crossLast };
    });
    await checkImages(rows, heads, 150);
  });
});
