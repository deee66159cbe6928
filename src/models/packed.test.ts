import { createHash } from "node:crypto";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readBytes, readJson } from "../../tests/chat-support.ts";
import { PACKED_ROWS } from "../../tests/goldens/packed-rows.ts";
import { UNPACKED } from "../../tests/goldens/paths.ts";
import { packedCases } from "../../tests/goldens/unpack-packed.ts";
import { decodeMatrices } from "../../tests/packed.ts";
import { openModel } from "../cli/open-model.ts";
import { assemble } from "../runtime/assemble.ts";
import { countingGpu } from "../runtime/counting-device.ts";
import { parseHeader } from "../weights/safetensors.ts";
import { createModel } from "./registry.ts";

const ROOT = join(import.meta.dirname, "../..");

/** The command's way to a folder. What its bytes become on the GPU is the same as in a page. */
describe.each(PACKED_ROWS)("$name", async ({ name, family, pack }) => {
  const folder = `${UNPACKED}/packed/${name}`;
  const checkpoint = await openModel(join(ROOT, folder));
  const exact = readBytes(`${folder}/dequantized.safetensors.expected`);

  test("has exactly the values that the reference was given", async () => {
    expect(createHash("sha256").update(exact).digest("hex")).toBe(packedCases()[name]?.sha256);
    const names = readJson(`${UNPACKED}/${family}/newer/names.json`) as Record<string, string[]>;
    const { tensors } = parseHeader("exact", exact);
    const matrices = [...tensors].filter(([, { shape }]) => pack && shape.length === 2);
    const { storedNames = (one: string) => [one] } = createModel(checkpoint.files);
    const decoded = await decodeMatrices(
      checkpoint,
      matrices.map(([hub, { shape }]) => ({ name: names[hub]![1]!, D: shape[1]! })),
      storedNames,
    );
    matrices.forEach(([hub, { begin, end }], i) => {
      const expected = Buffer.from(exact.slice(begin, end));
      expect(Buffer.from(decoded[i]!.values.buffer).equals(expected), hub).toBe(true);
    });
  });

  test("takes at most 5 % more on the GPU than in the file", async () => {
    const { engine, weights } = assemble(createModel, countingGpu(), checkpoint, {
      contextLength: 64,
    });
    await engine.prepare();
    const matrices = weights.allocated.filter(({ role }) => role !== undefined);
    const bytes = matrices.reduce((sum, one) => sum + one.bytes, 0);
    const inFile = matrices
      .flatMap(({ tensors }) => tensors)
      .map((tensor) => checkpoint.tensors.get(tensor)!)
      .reduce((sum, { begin, end }) => sum + end - begin, 0);
    expect(bytes / inFile).toBeLessThan(1.05);
  });
});
