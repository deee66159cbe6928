/**
 * ONNX models of one node, encoded as protobuf by hand. The field numbers are those of onnx.proto.
 */

type Field = readonly [number: number, value: number | string | Uint8Array];

const text = new TextEncoder();

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}

function message(...fields: readonly Field[]): Uint8Array<ArrayBuffer> {
  const pieces = fields.flatMap(([number, value]) => {
    if (typeof value === "number") return [Uint8Array.of(...varint(number * 8), ...varint(value))];
    const bytes = typeof value === "string" ? text.encode(value) : value;
    return [Uint8Array.of(...varint(number * 8 + 2), ...varint(bytes.length)), bytes];
  });
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

const FLOAT = 1;
const UINT8 = 2;

function tensor(name: string, type: number, dims: number[], data: ArrayBufferView): Field {
  const raw = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return [5, message(...dims.map((d): Field => [1, d]), [2, type], [8, name], [9, raw])];
}

/** @param field 11: graph input, 12: graph output */
function valueInfo(field: number, name: string, dims: (number | string)[]): Field {
  const shape = dims.map((d): Field => [1, message([typeof d === "number" ? 1 : 2, d])]);
  const type = message([1, message([1, FLOAT], [2, message(...shape)])]);
  return [field, message([1, name], [2, type])];
}

function model(node: readonly Field[], D: number, O: number, initializers: readonly Field[]) {
  const graph = message(
    [1, message(...node)],
    [2, "product"],
    ...initializers,
    valueInfo(11, "x", ["T", D]),
    valueInfo(12, "y", ["T", O]),
  );
  const opset = (domain: string, version: number): Field => [8, message([1, domain], [2, version])];
  return message([1, 9], [7, graph], opset("", 21), opset("com.microsoft", 1));
}

/** @param weights `[D, O]` */
export function matMul(D: number, O: number, weights: Float32Array): Uint8Array<ArrayBuffer> {
  const node: Field[] = [[1, "x"], [1, "w"], [2, "y"], [4, "MatMul"]]; // prettier-ignore
  return model(node, D, O, [tensor("w", FLOAT, [D, O], weights)]);
}

/**
 * w[o, k] = (code - 2 ** (bits - 1)) * scale. `accuracy_level` stays unset: level 4 rounds x to 8 bits, so
 * that the products no longer agree, and it is slower on a software adapter.
 *
 * @param bits bits of a code: 4 or 8
 * @param codes `[O, D]`; 4-bit codes are two to a byte, the lower half first
 * @param scales `[O, D/block]`
 */
export function matMulNBits(
  D: number,
  O: number,
  block: number,
  bits: number,
  codes: Uint8Array,
  scales: Float32Array,
): Uint8Array<ArrayBuffer> {
  const integer = (name: string, i: number): Field => [5, message([1, name], [3, i], [20, 2])];
  const node: Field[] = [
    ...["x", "w", "s"].map((name): Field => [1, name]),
    [2, "y"],
    [4, "MatMulNBits"],
    ...[integer("K", D), integer("N", O), integer("bits", bits), integer("block_size", block)],
    [7, "com.microsoft"],
  ];
  return model(node, D, O, [
    tensor("w", UINT8, [O, D / block, (block * bits) / 8], codes),
    tensor("s", FLOAT, [(O * D) / block], scales),
  ]);
}
