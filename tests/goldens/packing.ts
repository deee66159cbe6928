export interface UnpackedTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** A tensor of the header: its codes are steps of a grid, or places of a table of float32 values. */
interface Entry {
  readonly shape: readonly number[];
  /** Of each code; 0 where all codes are 0. */
  readonly bits: number;
  readonly low?: number;
  readonly step?: number;
  /** Length of the table. */
  readonly table?: number;
}

/**
 * The tensors of a `.packed` file, whose format `e2e/goldens/make/packing.py` describes, in the
 * file's order.
 */
export function unpackTensors(file: Uint8Array): Map<string, UnpackedTensor> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let begin = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, begin))) as object;
  const tensors = new Map<string, UnpackedTensor>();
  for (const [name, entry] of Object.entries(header) as [string, Entry][]) {
    const { shape, bits, low = 0, step = 1, table: tableLength = 0 } = entry;
    const table = Array.from({ length: tableLength }, (_, i) =>
      view.getFloat32(begin + 4 * i, true),
    );
    begin += 4 * tableLength;
    const count = shape.reduce((product, size) => product * size, 1);
    const end = begin + Math.ceil((count * bits) / 8);
    const codes = file.subarray(begin, end);
    begin = end;
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      const code = codeAt(codes, i * bits, bits);
      values[i] = tableLength ? (table[code] as number) : (low + code) * step;
    }
    tensors.set(name, { shape, values });
  }
  return tensors;
}

/** The `bits` bits that begin at a bit of `bytes`, lowest first; at most 24. */
function codeAt(bytes: Uint8Array, bit: number, bits: number): number {
  const byte = bit >>> 3;
  let window = 0;
  for (let i = 0; i < 4; i++) window |= (bytes[byte + i] ?? 0) << (8 * i);
  return (window >>> (bit & 7)) & ((1 << bits) - 1);
}
