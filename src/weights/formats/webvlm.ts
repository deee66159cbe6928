import type { StoredMatrix, WeightFormat } from "../format.ts";
import { expectShape, type FindMatrix } from "./packed-tensors.ts";
import { q8 } from "./q8.ts";
import { WEIGHT_FORMATS } from "./registry.ts";

/** `quantization_config` of config.json in a folder that `webvlm convert` has written. */
export interface ConvertedConfig {
  readonly quant_method: typeof METHOD;
  /** Of this layout of tensors and of this object. */
  readonly version: number;
  /** What was asked for. */
  readonly format: string;
  /** The repository or folder that was converted. */
  readonly source: string;
  /** By the matrix's name. Each part of it is a tensor of words, see `partName`. */
  readonly matrices: Readonly<Record<string, ConvertedMatrix>>;
}

export interface ConvertedMatrix {
  readonly format: string;
  /** `WeightFormat.version` */
  readonly version: number;
  readonly shape: readonly [O: number, D: number];
}

const METHOD = "webvlm";
const VERSION = 1;

/** @returns `quantization_config` for matrices in these formats */
export function convertedConfig(
  config: Omit<ConvertedConfig, "quant_method" | "version">,
): ConvertedConfig {
  return { quant_method: METHOD, version: VERSION, ...config };
}

/** @returns the name of the tensor that has a part of a matrix */
export function partName(matrix: string, part: { readonly name: string }): string {
  return `${matrix}.${part.name}`;
}

/** Matrices as `webvlm convert` writes them: in the formats that matrices are packed in at load. */
export const webvlm: WeightFormat = { ...q8, findMatrix };

function findMatrix(
  ...[name, { tensors, files }]: Parameters<FindMatrix>
): StoredMatrix | undefined {
  const { quantization_config: config } = (files["config.json"] ?? {}) as {
    readonly quantization_config?: Partial<ConvertedConfig>;
  };
  if (config?.quant_method !== METHOD) return undefined;
  if (config.version !== VERSION) {
    throw new Error(
      `config.json: quantization_config.version is ${config.version}, expected ${VERSION}: ` +
        `use the version of WebVLM that has converted the model, or convert it again`,
    );
  }
  const matrix = config.matrices?.[name];
  if (!matrix) return undefined;
  const { shape, version } = matrix;
  const format = (WEIGHT_FORMATS as readonly WeightFormat[]).find(
    (one) => one.name === matrix.format && (one.version ?? 1) === version,
  );
  if (!format) {
    throw new Error(
      `${name} is in version ${version} of the format ${matrix.format}, which is not known: ` +
        `use the version of WebVLM that has converted the model, or convert it again`,
    );
  }
  const [O, D] = shape;
  const parts = format.parts.map((part) => {
    const own = partName(name, part);
    const info = tensors.get(own);
    if (!info) throw new Error(`${name} is in ${format.name}, but there is no tensor ${own}`);
    expectShape(own, info, [O, part.rowWords?.(D) ?? 0], "U32");
    return { name: own, info, rows: O };
  });
  return {
    shape,
    format,
    tensors: parts,
    writeTo: (target) =>
      parts.map((_, part) => (first, _count, bytes) => target.copy(part, first, bytes)),
  };
}
