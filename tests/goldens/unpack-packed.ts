import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromBf16 } from "../../src/weights/half-floats.ts";
import { headerBytes, parseHeader } from "../../src/weights/safetensors.ts";
import { type StoredTensor, safetensors } from "../checkpoint.ts";
import { halves } from "./packed-layouts.ts";
import { PACKED_ROWS, type PackedRow } from "./packed-rows.ts";
import { GOLDENS, UNPACKED } from "./paths.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const SELF = import.meta.dirname;

/** What the reference answers with the weights of each folder, by its name; and the hash of those. */
export type PackedCases = Readonly<
  Record<string, { readonly sha256: string; readonly output_ids: readonly number[] }>
>;

/**
 * Makes `.cache/goldens/packed`: family folders in the formats of published repositories, each with
 * `dequantized.safetensors`, which has the values of all matrices that are packed, by the names of the
 * family folder.
 */
export function unpackPacked(): void {
  const sources = ["packed-rows.ts", "packed-layouts.ts", "unpack-packed.ts"];
  const version = createHash("sha256");
  for (const source of sources) version.update(readFileSync(join(SELF, source)));
  const stamp = version.digest("hex");
  for (const row of PACKED_ROWS) {
    const target = join(ROOT, UNPACKED, "packed", row.name);
    const golden = join(ROOT, UNPACKED, row.family);
    const manifest = readFileSync(join(golden, "manifest.json"), "utf8");
    const made = join(target, "made.json");
    const wanted = JSON.stringify([stamp, manifest]);
    if (existsSync(made) && readFileSync(made, "utf8") === wanted) continue;
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target, { recursive: true });
    for (const [name, bytes] of packedFolder(golden, row)) writeFileSync(join(target, name), bytes);
    writeFileSync(made, wanted);
  }
}

/** The recorded answers. */
export function packedCases(): PackedCases {
  const path = join(ROOT, GOLDENS, "packed", "cases.json");
  return JSON.parse(readFileSync(path, "utf8")) as PackedCases;
}

function* packedFolder(golden: string, row: PackedRow): Generator<[string, Uint8Array | string]> {
  const { config, rename = (name) => name, keep, channelsLast = false, pack } = row;
  const unused = /^(model|expected|cases|manifest|weights|config)\.|^newer$/;
  for (const name of readdirSync(golden).filter((one) => !unused.test(one))) {
    yield [name, readFileSync(join(golden, name))];
  }
  const own = JSON.parse(readFileSync(join(golden, "config.json"), "utf8")) as object;
  yield ["config.json", JSON.stringify({ ...own, ...config }, null, 1)];
  const file = new Uint8Array(readFileSync(join(golden, "model.safetensors")));
  const { tensors } = parseHeader("model", file.subarray(0, headerBytes("model", file)));
  const stored: Record<string, StoredTensor> = {};
  const exact: Record<string, StoredTensor> = {};
  for (const [name, { shape, begin, end }] of tensors) {
    const bits = new Uint16Array(file.subarray(begin, end).slice().buffer);
    const values = Float32Array.from(bits, fromBf16);
    const note = (what: Float32Array) => {
      exact[name] = { dtype: "F32", shape, data: new Uint8Array(what.buffer as ArrayBuffer) };
    };
    const packed = pack?.({ name, shape, values });
    if (packed) {
      for (const [part, tensor] of Object.entries(packed.tensors)) {
        stored[rename(name).replace(/weight$/, part)] = tensor;
      }
      note(packed.exact);
      continue;
    }
    const last = channelsLast && shape.length > 2;
    const [data, kept] = halves(last ? lastChannels(values, shape) : values, keep ?? "BF16");
    const sizes = last ? [shape[0]!, ...shape.slice(2), shape[1]!] : shape;
    const bytes = new Uint8Array(data.buffer as ArrayBuffer);
    stored[rename(name)] = { dtype: keep ?? "BF16", shape: sizes, data: bytes };
    if (keep && !last) note(kept);
  }
  yield ["model.safetensors", safetensors(stored)];
  yield ["dequantized.safetensors.expected", safetensors(exact)];
}

/** `[O, channels, ...]` as `[O, ..., channels]`. */
function lastChannels(
  values: Float32Array,
  [O = 0, channels = 0]: readonly number[],
): Float32Array {
  const pixels = values.length / O / channels;
  return values.map((_, i) => {
    const [o, place] = [Math.floor(i / (channels * pixels)), i % (channels * pixels)];
    const [pixel, channel] = [Math.floor(place / channels), place % channels];
    return values[o * channels * pixels + channel * pixels + pixel]!;
  });
}
