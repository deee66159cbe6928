import { describe, expect, test } from "vitest";
import {
  HEADS,
  causal,
  checkFlat,
  checkImages,
  checkPaged,
  images,
} from "../../tests/attention-cases.ts";
import { runOp, testGpu } from "../../tests/support.ts";
import { attention } from "./attention.ts";
import { IDLE_ROW, ROW_WORDS, type Row } from "./row.ts";

describe.each(HEADS)("attention of $H/$K heads of $C", (heads) => {
  test.each([1, 64, 65, 200])("to %i keys in pages, one row", async (count) => {
    await checkPaged(causal(1, count - 1, 1), heads, 5);
  });

  test.each([
    { T: 8, start: 120 },
    { T: 9, start: 0 },
    { T: 33, start: 50 },
  ])("to keys in pages, $T rows from $start", async ({ T, start }) => {
    await checkPaged(causal(2, start, T), heads, 5);
  });

  test("to flat keys", async () => {
    await checkFlat(images(70), heads);
    await checkFlat(images(3), heads);
  });
});

describe("attention", () => {
  const heads = { H: 6, K: 2, C: 64 };

  test.each([
    { T: 5, name: "few" },
    { T: 40, name: "many" },
  ])("$name rows of several sequences, some idle", async ({ T }) => {
    const rows = Array.from({ length: T }, (_, i) => {
      return i % 5 === 3 ? IDLE_ROW : (causal((i * 2) % 3, (i * 37) % 250, 1)[0] as Row);
    });
    await checkPaged(rows, heads, 5);
  });

  test("a prefill chunk with decode rows of other sequences", async () => {
    const rows = [...causal(0, 70, 21), ...causal(1, 200, 1), IDLE_ROW, ...causal(2, 3, 1)];
    await checkPaged(rows, heads, 5);
  });

  test("only idle rows", async () => {
    await checkPaged([IDLE_ROW], heads, 2);
    await checkPaged(Array<Row>(20).fill(IDLE_ROW), heads, 2);
  });

  test.each([4, 30])("%i rows whose ranges start and end inside a page", async (T) => {
    const rows = Array.from({ length: T }, (_, i) => {
      return { ...IDLE_ROW, sequence: 1, first: 30 + 5 * i, last: 90 + 7 * i };
    });
    await checkPaged(rows, heads, 5);
  });

  test.each([2, 50])("%i rows that attend to a window", async (T) => {
    await checkPaged(causal(0, 180, T, 70), { ...heads, range: "window" }, 5);
  });

  test.each([
    { softcap: 1, T: 3 },
    { softcap: 1, T: 30 },
    // Large values, where tanh overflows on some drivers.
    { softcap: 0.01, T: 3 },
    { softcap: 0.01, T: 30 },
  ])("$T rows whose scores are capped by $softcap", async ({ softcap, T }) => {
    await checkPaged(causal(1, 90, T), { ...heads, softcap }, 5);
  });

  test.each(HEADS.slice(2, 5))(
    "$H/$K heads of $C attend to keys in pages that are kept in f16",
    async (heads) => {
      await checkPaged(causal(1, 199, 1), heads, 5, "f16");
      await checkPaged(causal(2, 50, 33), heads, 5, "f16");
    },
  );

  test("shapes of keys that don't fit their type are refused", async () => {
    const gpu = await testGpu();
    const pageTable = gpu.tensor("pages", [1, 1], "u32");
    const cache = {
      keys: gpu.tensor("k", [64, 8]),
      values: gpu.tensor("v", [64, 4], "u32"),
      pageTable,
    };
    const rows = gpu.tensor("rows", [1, ROW_WORDS], "u32");
    const q = gpu.tensor("q", [1, 8]);
    const run = runOp(gpu, (g) =>
      attention(g, rows, q, { kind: "paged", cache }, { H: 1, K: 1, C: 8, scale: 1 }),
    );
    await expect(run).rejects.toThrow("expected rows of 8 f32, or of 4 u32 with two f16");
  });

  test("many pages", async () => {
    await checkPaged(causal(0, 4000, 1), heads, 80);
    await checkPaged(causal(0, 2000, 10), heads, 80);
  });

  test.each([
    { name: "one image", counts: [257] },
    { name: "images of unlike size", counts: [100, 1, 30, 64, 129] },
  ])("patches of $name", async ({ counts }) => {
    await checkFlat(images(...counts), { H: 3, K: 3, C: 72 });
  });

  test.each([1, 8, 9, 40])("%i rows attend to cross-attention keys", async (T) => {
    // In a ring of 150 rows: no key, a range from within a page, all keys, a range over the ring's end.
    const ranges: [number, number][] = [
      [1, 0],
      [30, 96],
      [100, 249],
      [140, 170],
      [0, 149],
      [299, 299],
    ];
    const rows = Array.from({ length: T }, (_, i) => {
      const [crossFirst, crossLast] = ranges[(i + 1) % ranges.length] as [number, number];
      return { ...(causal(0, 3 + i, 1)[0] as Row), crossFirst, crossLast };
    });
    for (const heads of HEADS.slice(0, 4)) await checkImages(rows, heads, 150);
  });

  test("rejects shapes that don't fit", async () => {
    const rows = causal(0, 0, 2);
    await expect(checkFlat(rows, { H: 3, K: 2, C: 8 })).rejects.toThrow("H is 3, expected a mult");
    await expect(checkFlat(rows, { H: 2, K: 2, C: 6 })).rejects.toThrow("C is 6, expected a mult");
    await expect(checkFlat(rows, { H: 2, K: 2, C: 260 })).rejects.toThrow("up to 256");
  });
});
