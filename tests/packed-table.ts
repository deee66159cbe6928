import recorded from "../e2e/goldens/packed/cases.json";
import type { Gpu } from "../src/gpu/device.ts";
import { type DecodedImage } from "../src/platform/platform.ts";
import type { Checkpoint } from "../src/weights/checkpoint.ts";
import { caseOf, generate, type GoldenCase, openEngine, prepareImages } from "./golden.ts";
import { PACKED_ROWS } from "./goldens/packed-rows.ts";
import { GOLDENS, UNPACKED } from "./goldens/paths.ts";

/** A checkpoint in a packed format of published repositories, and a question with its answer. */
export interface PackedCheckpoint {
  readonly name: string;
  /** A folder, or a GGUF file beside its mmproj file. From the root of the repository. */
  readonly path: string;
  /** The folder whose cases.json has the question, and beside which the images are. */
  readonly golden: string;
  /** The answer. Default: what cases.json has. */
  readonly outputIds?: readonly number[];
  /** A file that the format has no place for, and that the golden folder has. */
  readonly missing?: "preprocessor_config.json";
}

const answers = recorded as Readonly<Record<string, { readonly output_ids: number[] }>>;

const gguf = (name: string, file: string, golden = `${GOLDENS}/gguf/${name}`) => ({
  name: `gguf-${name}`,
  path: `${UNPACKED}/gguf/${name}/${file}`,
  golden,
});

/**
 * All formats and families. What the tensors of a format mean, and what its kernels read, is tested with the
 * formats. This is the whole: names, stacked matrices, and the embeddings as head.
 */
export const PACKED_TABLE: readonly PackedCheckpoint[] = [
  ...PACKED_ROWS.map(({ name, family }) => ({
    name,
    path: `${UNPACKED}/packed/${name}`,
    golden: `${GOLDENS}/${family}`,
    outputIds: answers[name]!.output_ids,
  })),
  gguf("smolvlm", "TinySmolVLM-Q4_K_M.gguf"),
  // Matrices of every type.
  gguf("qwen2_5_vl-every", "TinyQwen2.5-VL-every.gguf"),
  gguf("internvl", "Tiny-internvl-BF16.gguf", `${GOLDENS}/internvl`),
  // Its limits of images are unusually small, and llama.cpp's files have none.
  {
    ...gguf("lfm2_vl", "Tiny-lfm2_vl-BF16.gguf", `${GOLDENS}/lfm2_vl`),
    missing: "preprocessor_config.json",
  },
];

/** How a machine reads files and images. */
export interface Reading {
  /** @param path from the root of the repository */
  open(path: string): Promise<Checkpoint>;
  bytes(path: string): Promise<Blob>;
  decode(image: Blob): Promise<DecodedImage>;
}

/**
 * Asks a checkpoint about an image.
 *
 * @returns the recorded answer, and the one that the checkpoint gives
 */
export async function askPacked(
  gpu: Gpu,
  { path, golden, outputIds, missing }: PackedCheckpoint,
  { open, bytes, decode }: Reading,
): Promise<{ expected: readonly number[]; ids: readonly number[] }> {
  const json = async (file: string) =>
    JSON.parse(await (await bytes(`${golden}/${file}`)).text()) as unknown;
  const opened = await open(path);
  const added = missing && { [missing]: await json(missing) };
  const files = { ...opened.files, ...added };
  const options = { contextLength: 256, prefillRows: 128 };
  const { engine, model, weights } = await openEngine(gpu, { ...opened, files }, "auto", options);
  const case_ = caseOf({ cases: (await json("cases.json")) as GoldenCase[] }, "image");
  const images = await prepareImages(case_, model, `${golden}/..`, async (image) =>
    decode(await bytes(image)),
  );
  const expected = outputIds ?? case_.output_ids;
  const input = { ids: case_.input_ids, images, maxTokens: expected.length };
  const ids = await generate(engine, input, files);
  weights.dispose();
  return { expected, ids };
}
