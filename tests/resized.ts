import type { CheckpointFiles } from "../src/models/model.ts";
import type { Checkpoint } from "../src/weights/checkpoint.ts";
import type { TensorInfo } from "../src/weights/safetensors.ts";
import { changed } from "./settings-table.ts";
import type { Source } from "./shapes/random-checkpoint.ts";

/** The shapes of tensors whose names match. */
export type Shapes = readonly (readonly [pattern: string, shape: readonly number[]])[];

/** A line of e2e/goldens/resized.json: a golden folder with other sizes, and what the reference answers. */
export interface Resized {
  readonly family: string;
  readonly name: string;
  /** Values by file and by path within it. */
  readonly files: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly shapes: Shapes;
  readonly input_ids: readonly number[];
  readonly output_ids: readonly number[];
}

/** The path of the table in the repository. */
export const RESIZED_TABLE = "e2e/goldens/resized.json";

/** The files of a golden folder with an entry's settings. */
export function resizedFiles(
  files: CheckpointFiles,
  entry: Pick<Resized, "files">,
): CheckpointFiles {
  return Object.entries(entry.files).reduce(
    (all, [file, set]) => changed(all, { file, set }),
    files,
  );
}

/** The shape of the tensor `name`, unless it is the golden folder's. */
export function shapeOf(shapes: Shapes, name: string): readonly number[] | undefined {
  return shapes.find(([pattern]) => new RegExp(pattern).test(name))?.[1];
}

const FILE = "resized.safetensors";

/**
 * A golden folder with an entry's settings and shapes, in f32. A tensor is cut, or repeated, each repeat
 * smaller by a sixteenth.
 *
 * @param weights the tensors' bytes, all of them in bf16
 */
export function resizedCheckpoint(
  checkpoint: Pick<Checkpoint, "id" | "files" | "tensors">,
  weights: Uint8Array<ArrayBuffer>,
  entry: Resized,
): Source {
  let end = 0;
  const parts: Float32Array<ArrayBuffer>[] = [];
  const tensors = new Map<string, TensorInfo & { readonly file: string }>();
  for (const [name, stored] of checkpoint.tensors) {
    const halves = new Uint16Array(weights.slice(stored.begin, stored.end).buffer);
    const values = new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
    const shape = shapeOf(entry.shapes, name);
    const part = shape ? resized(values, stored.shape, shape) : values;
    const begin = end;
    end += part.byteLength;
    parts.push(part);
    tensors.set(name, { dtype: "F32", shape: shape ?? stored.shape, file: FILE, begin, end });
  }
  return {
    id: `${checkpoint.id}, ${entry.name}`,
    files: resizedFiles(checkpoint.files, entry),
    tensors,
    weightBytes: end,
    async *stream() {
      let begin = 0;
      for (const part of parts) {
        yield { file: FILE, begin, bytes: new Uint8Array(part.buffer), network: false };
        begin += part.byteLength;
      }
    },
  };
}

/** @param values `[...from]`, as many axes as `to` */
function resized(
  values: Float32Array,
  from: readonly number[],
  to: readonly number[],
): Float32Array<ArrayBuffer> {
  const result = new Float32Array(to.reduce((product, size) => product * size, 1));
  const index = to.map(() => 0);
  for (let i = 0; i < result.length; i++) {
    let [at, repeats] = [0, 0];
    for (const [axis, size] of from.entries()) {
      const k = index[axis] as number;
      at = at * size + (k % size);
      repeats += Math.floor(k / size);
    }
    result[i] = (values[at] as number) * (1 - repeats / 16);
    for (let axis = to.length - 1; axis >= 0; axis--) {
      index[axis] = ((index[axis] as number) + 1) % (to[axis] as number);
      if (index[axis] !== 0) break;
    }
  }
  return result;
}
