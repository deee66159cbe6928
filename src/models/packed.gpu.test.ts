import { expect, test } from "vitest";
import { PACKED_TABLE, askPacked } from "../../tests/packed-table.ts";
import { testGpu } from "../../tests/support.ts";
import { decodeImage } from "../platform/decode-image.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { PACKED_FORMATS } from "../weights/formats/packed.ts";
import { resolveSource } from "../weights/source.ts";
import { ggufReader } from "./gguf/reader.ts";

const base = location.href;
const readers = { packedFormats: async () => PACKED_FORMATS, gguf: async () => ggufReader };

// In Node: e2e/packed.e2e.ts.
test.each(PACKED_TABLE.map((row) => [row.name, row] as const))(
  "%s answers as the reference does with its weights",
  async (_, row) => {
    const { expected, ids } = await askPacked(await testGpu(), row, {
      open: (path) => openCheckpoint(resolveSource(`/${path}`, { base }), readers),
      bytes: async (path) => (await fetch(`/${path}`)).blob(),
      decode: decodeImage,
    });
    expect(ids).toEqual(expected);
  },
);
