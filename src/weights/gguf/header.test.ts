import { expect, test } from "vitest";
import { ggufFile } from "../../../tests/gguf-file.ts";
import { parseGgufHeader, readGgufHeader } from "./header.ts";

const METADATA = {
  "general.architecture": "llama",
  "llama.block_count": 2,
  "llama.rope.freq_base": 0.5,
  "tokenizer.ggml.add_bos_token": true,
  "tokenizer.ggml.tokens": ["a", "Ġé", ""],
  "tokenizer.ggml.scores": [0.5, -1.5],
};
const TENSORS = {
  "blk.0.attn_q.weight": { type: 0, shape: [2, 3], data: new Uint8Array(24).fill(1) },
  "output.weight": { type: 30, shape: [4], data: new Uint8Array(8).fill(2) },
};
const FILE = ggufFile(METADATA, TENSORS);

test("metadata and tensors are read", () => {
  const header = parseGgufHeader("m.gguf", FILE)!;
  expect(Object.fromEntries(header.metadata)).toEqual(METADATA);
  expect(header.tensors).toEqual([
    { name: "blk.0.attn_q.weight", type: 0, shape: [2, 3], begin: header.bytes },
    { name: "output.weight", type: 30, shape: [4], begin: header.bytes + 32 },
  ]);
  expect(FILE[header.bytes]).toBe(1);
  expect(FILE[header.bytes + 32]).toBe(2);
});

test("a part of a header is not mistaken for all of it", () => {
  const { bytes } = parseGgufHeader("m.gguf", FILE)!;
  for (let length = 4; length < bytes; length++) {
    expect(parseGgufHeader("m.gguf", FILE.subarray(0, length))).toBeUndefined();
  }
  expect(parseGgufHeader("m.gguf", FILE.subarray(0, bytes))).toBeDefined();
});

test("no more than the header is asked for, in growing steps", async () => {
  const long = ggufFile({ ...METADATA, "tokenizer.chat_template": "x".repeat(3 << 20) }, TENSORS);
  const asked: number[][] = [];
  const read = async (begin: number, end: number) => {
    asked.push([begin, end]);
    return long.subarray(begin, end);
  };
  const { header, bytes } = await readGgufHeader("m.gguf", read);
  expect(asked).toEqual([
    [0, 1 << 20],
    [1 << 20, 2 << 20],
    [2 << 20, 4 << 20],
  ]);
  expect(bytes).toHaveLength(header.bytes);
});

test.each([
  [new TextEncoder().encode("version https://git-lfs"), 'begins with "vers": it may be a Git LFS'],
  [ggufFile(METADATA, {}, 1), "m.gguf: GGUF of version 1, supported: 2 and 3"],
  [ggufFile({ "general.alignment": "x" }), "general.alignment is x"],
])("what is no GGUF file is named", (bytes, message) => {
  expect(() => parseGgufHeader("m.gguf", bytes)).toThrow(message);
});

test("a file that ends within its header is damaged", async () => {
  const read = async (begin: number, end: number) => FILE.subarray(0, 100).subarray(begin, end);
  await expect(readGgufHeader("m.gguf", read)).rejects.toThrow("m.gguf is damaged");
});
