import type { GgufValue } from "../src/weights/gguf/header.ts";

/** A tensor to be written. */
export interface GgufTensorData {
  /** The number of the type in ggml. */
  readonly type: number;
  /** The slowest axis first. */
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Whole numbers are written as u32, other numbers as f32. */
export function ggufFile(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: Readonly<Record<string, GgufTensorData>> = {},
  version = 3,
): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  const number = (size: number, set: (view: DataView) => void) => {
    const view = new DataView(new ArrayBuffer(size));
    set(view);
    bytes.push(...new Uint8Array(view.buffer));
  };
  const u32 = (value: number) => number(4, (view) => view.setUint32(0, value, true));
  const u64 = (value: number) => number(8, (view) => view.setBigUint64(0, BigInt(value), true));
  const string = (text: string) => {
    const encoded = new TextEncoder().encode(text);
    u64(encoded.length);
    for (const byte of encoded) bytes.push(byte);
  };
  const typeOf = (value: GgufValue) =>
    typeof value === "string"
      ? 8
      : typeof value === "boolean"
        ? 7
        : typeof value === "number"
          ? Number.isInteger(value)
            ? 4
            : 6
          : 9;
  const write = (value: GgufValue, type: number): void => {
    if (typeof value === "string") return string(value);
    if (typeof value === "boolean") return void bytes.push(Number(value));
    if (typeof value === "number") {
      return type === 6 ? number(4, (view) => view.setFloat32(0, value, true)) : u32(value);
    }
    const inner = Math.max(...value.map(typeOf), 0);
    u32(inner);
    u64(value.length);
    for (const one of value) write(one, inner);
  };
  bytes.push(...new TextEncoder().encode("GGUF"));
  u32(version);
  u64(Object.keys(tensors).length);
  u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    string(key);
    u32(typeOf(value));
    write(value, typeOf(value));
  }
  const pad = () => {
    while (bytes.length % 32 !== 0) bytes.push(0);
  };
  let offset = 0;
  for (const [name, { type, shape, data }] of Object.entries(tensors)) {
    string(name);
    u32(shape.length);
    for (const size of [...shape].reverse()) u64(size);
    u32(type);
    u64(offset);
    offset += Math.ceil(data.length / 32) * 32;
  }
  pad();
  for (const { data } of Object.values(tensors)) {
    for (const byte of data) bytes.push(byte);
    pad();
  }
  return Uint8Array.from(bytes);
}
