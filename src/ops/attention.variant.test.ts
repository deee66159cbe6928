import { describe, test } from "vitest";
import {
  HEADS,
  causal,
  checkFlat,
  checkImages,
  checkPaged,
  images,
} from "../../tests/attention-cases.ts";
import { GPU_KERNELS } from "../../tests/variants.ts";
import { IDLE_ROW, type Row } from "./row.ts";

// lavapipe takes seconds to compile a kernel, and more for more queries.
const ALL = process.env.WEBVLM_VARIANTS === "all";
const FEWER = ALL ? HEADS : HEADS.filter(({ K, C }) => (K === 3 && C > 16) || C === 256);

describe.each(GPU_KERNELS)("attention on GPUs with $name", (kernels) => {
  test.each(FEWER)("to keys in pages: $H/$K heads of $C", async (heads) => {
    for (const count of [1, 65, 200]) {
      await checkPaged(causal(1, count - 1, 1), { ...heads, kernels }, 5);
    }
    await checkPaged(causal(2, 120, 3), { ...heads, kernels }, 5);
  });

  const heads = { H: 9, K: 3, C: 64, kernels };

  test("rows of several sequences, some idle, and ranges that start and end inside a page", async () => {
    const several = Array.from({ length: 5 }, (_, i) => {
      return i % 5 === 3 ? IDLE_ROW : (causal((i * 2) % 3, (i * 37) % 250, 1)[0] as Row);
    });
    const inside = Array.from({ length: 4 }, (_, i) => {
      return { ...IDLE_ROW, sequence: 1, first: 30 + 5 * i, last: 90 + 7 * i };
    });
    for (const rows of [several, inside, [IDLE_ROW]]) await checkPaged(rows, heads, 5);
  });

  if (kernels.features.size === 0 && !ALL) return;

  test("kept in f16", async () => {
    await checkPaged(causal(1, 199, 1), { H: 4, K: 2, C: 80, kernels }, 5, "f16");
  });

  test("windows, caps, many pages", async () => {
    await checkPaged(causal(0, 180, 2, 70), { ...heads, range: "window", softcap: 1 }, 5);
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

describe("attention of many rows on GPUs", () => {
  const kernels = GPU_KERNELS[0];

  test.each(FEWER)("$H/$K heads of $C", async (heads) => {
    await checkPaged(causal(2, 50, 33), { ...heads, kernels }, 5);
  });

  test("patches of images of unlike size, in heads of 72", async () => {
    await checkFlat(images(100, 1, 30, 64, 129), { H: 3, K: 3, C: 72, kernels });
  });

  const heads = { H: 9, K: 3, C: 64, kernels };

  test("rows of several sequences, some idle", async () => {
    const rows = [...causal(0, 70, 21), ...causal(1, 200, 1), IDLE_ROW, ...causal(2, 3, 1)];
    await checkPaged(rows, heads, 5);
    await checkPaged(Array<Row>(20).fill(IDLE_ROW), heads, 5);
    await checkPaged(causal(0, 150, 70, 70), { ...heads, range: "window" }, 5);
  });

  if (!ALL) return;

  test("kept in f16, caps, ranges inside pages, many pages", async () => {
    await checkPaged(causal(2, 50, 33), heads, 5, "f16");
    await checkPaged(causal(1, 90, 30), { ...heads, softcap: 1 }, 5);
    const rows = Array.from({ length: 30 }, (_, i) => {
      return { ...IDLE_ROW, sequence: 1, first: 30 + 5 * i, last: 90 + 7 * i };
    });
    await checkPaged(rows, heads, 5);
    await checkPaged(causal(0, 2000, 10), heads, 80);
    for (const heads of HEADS) await checkFlat(images(70, 3), { ...heads, kernels });
  });
});
