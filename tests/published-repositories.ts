import type { CheckpointFiles } from "../src/models/model.ts";
import type { Checkpoint } from "../src/weights/checkpoint.ts";
import type { TensorInfo } from "../src/weights/safetensors.ts";
import { readCheckpoint, readJson } from "./chat-support.ts";

/** A repository as `scripts/published/record.py` records it. */
interface Repository {
  readonly golden: string;
  readonly vocabulary?: string;
  readonly added?: readonly object[];
  readonly more?: readonly object[];
  readonly files: CheckpointFiles;
  readonly tensors: readonly (readonly [
    name: string,
    shape: readonly number[],
    numbers?: readonly (readonly [first: number, last: number])[],
  ])[];
  readonly expected: {
    readonly contextLength: number;
    readonly stopIds: readonly number[];
    readonly imageTokens: readonly number[];
    readonly prompt: readonly (string | readonly [piece: string, count: number])[];
    readonly ids: readonly (number | readonly [id: number, count: number])[];
  };
}

const REPOSITORIES = readJson("e2e/goldens/published-repositories.json") as Record<
  string,
  Repository
>;

/** The repositories of README.md's table, in their published layout. */
export const PUBLISHED_REPOSITORIES: readonly string[] = Object.keys(REPOSITORIES);

/** What the reference makes of an image of 640 x 480 pixels and the question, and of other images. */
export interface ExpectedPrompt {
  readonly contextLength: number;
  readonly stopIds: readonly number[];
  /** Of the sizes in `record.py`. */
  readonly imageTokens: readonly number[];
  readonly prompt: string;
  readonly ids: readonly number[];
}

/** A repository with the headers of its weights, of real size, and without their bytes. */
export function publishedRepository(name: string): {
  checkpoint: Checkpoint;
  expected: ExpectedPrompt;
} {
  const { golden, files, tensors, expected, ...vocabulary } = REPOSITORIES[name] as Repository;
  const infos = tensorInfos(tensors);
  return {
    checkpoint: {
      id: name,
      files: { ...readCheckpoint(`e2e/goldens/${golden}`), ...files, ...tokenizerOf(vocabulary) },
      tensors: infos,
      weightBytes: Math.max(...[...infos.values()].map(({ end }) => end)),
      async *stream() {
        throw new Error(`${name} has no bytes`);
      },
    },
    expected: {
      ...expected,
      prompt: expected.prompt.map(expand).join(""),
      ids: expected.ids.flatMap((run) =>
        typeof run === "number" ? run : new Array<number>(run[1]).fill(run[0]),
      ),
    },
  };
}

function expand(piece: string | readonly [piece: string, count: number]): string {
  return typeof piece === "string" ? piece : piece[0].repeat(piece[1]);
}

/** Parsed once: several repositories share a vocabulary. */
const vocabularies = new Map<string, { readonly added_tokens: readonly object[] }>();

function tokenizerOf({
  vocabulary,
  added,
  more = [],
}: Pick<Repository, "vocabulary" | "added" | "more">): CheckpointFiles {
  if (vocabulary === undefined) return {};
  const path = `node_modules/${vocabulary}/models/tokenizer.json`;
  const json = vocabularies.get(path) ?? (readJson(path) as { added_tokens: readonly object[] });
  vocabularies.set(path, json);
  return {
    "tokenizer.json": { ...json, added_tokens: [...(added ?? json.added_tokens), ...more] },
  };
}

/** BF16 tensors, one after another. */
function tensorInfos(tensors: Repository["tensors"]): Map<string, TensorInfo> {
  const infos = new Map<string, TensorInfo>();
  let begin = 0;
  for (const [name, shape, runs] of tensors) {
    const bytes = 2 * shape.reduce((product, size) => product * size, 1);
    const numbers = (runs ?? [[0, 0]]).flatMap(([first, last]) =>
      Array.from({ length: last - first + 1 }, (_, i) => first + i),
    );
    for (const number of numbers) {
      const file = "model.safetensors";
      const end = begin + bytes;
      infos.set(name.replace("#", `${number}`), { dtype: "BF16", shape, file, begin, end });
      begin = end;
    }
  }
  return infos;
}
