import type { Checkpoint } from "../../src/weights/checkpoint.ts";
import type { CheckpointShape } from "./checkpoint-shape.ts";

/** The checkpoint that a model is loaded from. */
export type Source = Pick<Checkpoint, "id" | "files" | "tensors" | "weightBytes" | "stream">;

const FILE = "model.safetensors";

/** A checkpoint in bf16 whose bytes are generated as they are read. */
export function randomCheckpoint({ id, files, tensors: shapes }: CheckpointShape): Source {
  let end = 0;
  const tensors = new Map(
    shapes.map(([name, shape]) => {
      const begin = end;
      end += shape.reduce((product, size) => product * size, 2);
      return [name, { dtype: "BF16", shape, file: FILE, begin, end }] as const;
    }),
  );
  return {
    id: `${id} with random weights`,
    files,
    tensors,
    weightBytes: end,
    async *stream() {
      // The number of weights per chunk is odd, so that no two rows of a matrix are equal.
      const chunk = new Uint8Array((8 << 20) + 2);
      const words = new Uint16Array(chunk.buffer);
      // Values of about ±0.03, with any mantissa and sign.
      words.forEach((_, i) => {
        words[i] = 0x3c80 ^ ((Math.imul(i, 0x9e3779b1) >>> 16) & 0x81ff);
      });
      for (let offset = 0; offset < end; offset += chunk.length) {
        const bytes = chunk.subarray(0, Math.min(chunk.length, end - offset));
        yield { file: FILE, begin: offset, bytes, network: false };
      }
    },
  };
}
