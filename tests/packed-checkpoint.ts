import type { Checkpoint } from "../src/weights/checkpoint.ts";
import { PACKED_FORMATS } from "../src/weights/formats/packed.ts";
import { headerBytes, parseHeader } from "../src/weights/safetensors.ts";
import { safetensors } from "./checkpoint.ts";

/** A line of packed-matrices.json. */
export interface PackedMatrix {
  readonly title: string;
  readonly name: string;
  readonly shape: readonly [O: number, D: number];
  /** Of the values in f32, row by row. */
  readonly sha256: string;
  /** The fields of config.json that say how the weights are stored. */
  readonly config: object;
  /** By their names in the file; the data in base64. */
  readonly tensors: Readonly<
    Record<string, { dtype: string; shape: readonly number[]; data: string }>
  >;
}

type PackedCheckpoint = Pick<
  Checkpoint,
  "id" | "files" | "tensors" | "formats" | "stream" | "weightBytes"
>;

/** A checkpoint of some packed matrices, in one file. */
export function packedCheckpoint(
  matrices: readonly PackedMatrix[],
  order?: "reversed",
): PackedCheckpoint {
  const entries = matrices.flatMap(({ tensors }) =>
    Object.entries(tensors).map(([name, { data, ...tensor }]) => {
      const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
      return [name, { ...tensor, data: bytes }] as const;
    }),
  );
  if (order) entries.reverse();
  const file = "model.safetensors";
  const bytes = safetensors(Object.fromEntries(entries));
  return {
    id: "packed",
    files: { "config.json": Object.assign({}, ...matrices.map(({ config }) => config)) as object },
    tensors: parseHeader(file, bytes.subarray(0, headerBytes(file, bytes))).tensors,
    formats: PACKED_FORMATS,
    weightBytes: bytes.length,
    async *stream() {
      // Borders are inside of rows.
      for (let begin = 0; begin < bytes.length; begin += 1001) {
        yield { file, begin, bytes: bytes.subarray(begin, begin + 1001), network: false };
      }
    },
  };
}
