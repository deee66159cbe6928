import { describe, expect, test } from "vitest";
import { safetensors } from "../../tests/checkpoint.ts";
import { headerBytes, parseHeader } from "./safetensors.ts";

/** A file with this header and `dataBytes` zeros. */
function withHeader(header: unknown, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(
    typeof header === "string" ? header : JSON.stringify(header),
  );
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const tensor = (data_offsets: unknown, dtype: unknown = "F32", shape: unknown = [1]) => ({
  dtype,
  shape,
  data_offsets,
});

describe("parseHeader", () => {
  test("gives the position of each tensor", () => {
    const file = safetensors({
      a: { dtype: "F32", shape: [2, 3], data: new Uint8Array(24).fill(1) },
      b: { dtype: "BF16", shape: [5], data: new Uint8Array(10).fill(2) },
      empty: { dtype: "I64", shape: [0], data: new Uint8Array(0) },
    });
    const { tensors, fileBytes } = parseHeader("m.safetensors", file);
    expect(fileBytes).toBe(file.length);
    expect([...tensors.keys()]).toEqual(["a", "b", "empty"]);
    const b = tensors.get("b");
    expect(b).toMatchObject({ dtype: "BF16", shape: [5], file: "m.safetensors" });
    expect(file.slice(b?.begin, b?.end)).toEqual(new Uint8Array(10).fill(2));
  });

  test("needs only the header", () => {
    const file = withHeader({ a: tensor([0, 4]) }, 4);
    const header = file.slice(0, headerBytes("m", file));
    expect(parseHeader("m", header)).toEqual(parseHeader("m", file));
  });

  test.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(3), "is no safetensors file: it has 3 bytes"],
    ["a web page", new TextEncoder().encode("<!doctype html><html>"), "header would have"],
    ["an LFS pointer", new TextEncoder().encode("version https://git-lfs"), "Git LFS pointer"],
    ["an endless header", new Uint8Array(16).fill(255), "header would have"],
    ["a short file", withHeader({ a: tensor([0, 4]) }).slice(0, 20), "the file only 20"],
    ["no JSON", withHeader("{nonsense"), "not JSON"],
    ["no object", withHeader("[1]"), "not an object"],
    ["null", withHeader("null"), "not an object"],
    ["a null tensor", withHeader({ a: null }), "tensor a: dtype undefined"],
    ["a number as dtype", withHeader({ a: tensor([0, 4], 7) }), "dtype 7 is not a name"],
    ["bytes of an unknown dtype", withHeader({ a: tensor([4, 0], "Q7") }), "[4,0] differ"],
    ["a negative size", withHeader({ a: tensor([0, 4], "F32", [-1]) }), "shape [-1]"],
    ["a fractional size", withHeader({ a: tensor([0, 4], "F32", [0.5]) }), "shape [0.5]"],
    ["a huge shape", withHeader({ a: tensor([0, 4], "F32", [2 ** 40, 2 ** 40]) }), "takes"],
    ["no offsets", withHeader({ a: tensor(undefined) }), "data_offsets undefined"],
    ["offsets reversed", withHeader({ a: tensor([4, 0]) }), "takes 4 bytes"],
    ["a wrong length", withHeader({ a: tensor([0, 5]) }), "takes 4 bytes"],
    ["overlap", withHeader({ a: tensor([0, 4]), b: tensor([2, 6]) }), "tensor b overlaps"],
    ["the same place", withHeader({ a: tensor([0, 4]), b: tensor([0, 4]) }), "overlaps"],
    ["a gap", withHeader({ a: tensor([8, 12]) }), "tensor a leaves a gap"],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => parseHeader("m.safetensors", bytes)).toThrow(message);
    expect(() => parseHeader("m.safetensors", bytes)).toThrow("m.safetensors");
  });

  test.each(["F4", "toString"])("a tensor may have a dtype that is not known: %s", (dtype) => {
    const file = withHeader({ a: tensor([0, 3], dtype, [6]), b: tensor([3, 7]) }, 7);
    expect(parseHeader("m", file).tensors.get("a")).toMatchObject({ dtype, shape: [6] });
  });

  test("a tensor named __proto__ is a tensor", () => {
    const file = withHeader(`{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1);
    expect([...parseHeader("m", file).tensors.keys()]).toEqual(["__proto__"]);
  });
});
