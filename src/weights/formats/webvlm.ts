import type { StoredMatrix, WeightFormat, WholePart } from "../format.ts";
import { fp8Format } from "./fp8.ts";
import { GGML_FORMATS } from "./ggml.ts";
import { intFormat } from "./int.ts";
import { mlxFormat } from "./mlx.ts";
import { nf4Format } from "./nf4.ts";
import { expectShape, type FindMatrix, wordsOf } from "./packed-tensors.ts";
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
  /** `WeightFormat.constants`, where a format has several forms. */
  readonly constants?: Readonly<Record<string, number>>;
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

/** @returns whether `webvlm convert` has written a checkpoint with these files */
export function isConverted({ "config.json": config }: Readonly<Record<string, unknown>>): boolean {
  const { quantization_config } = (config ?? {}) as {
    readonly quantization_config?: Partial<ConvertedConfig>;
  };
  return quantization_config?.quant_method === METHOD;
}

/** @returns what is said of a matrix */
export function convertedMatrix(
  { name, version = 1, constants }: WeightFormat,
  shape: ConvertedMatrix["shape"],
): ConvertedMatrix {
  return { format: name, version, ...(name in FORMS && { constants }), shape };
}

/** The order of a matrix's columns, where it has one of its own. It is stored like a part. */
export const COLUMNS: WholePart = { name: "columns", dtype: "u32", words: (_, D) => D };

type Constants = Readonly<Record<string, number>>;

const halfOf = ({ IS_F16 }: Constants) => (IS_F16 ? "F16" : "BF16");

/** Formats that have several forms, by their names. */
const FORMS: Readonly<Record<string, (constants: Constants) => WeightFormat>> = {
  mlx: (c) => mlxFormat(c["BITS"]!, c["GROUP"]!, halfOf(c)),
  int: (c) => {
    return intFormat(
      c["BITS"]!,
      c["GROUP"]!,
      halfOf(c),
      c["ZERO"] === undefined ? "stored" : "middle",
    );
  },
  fp8: (c) => fp8Format(c["BLOCK"]!),
  nf4: (c) => nf4Format(c["BLOCK"]!, c["IS_NESTED"] === 1),
};

/** @returns undefined where the format, or its version, is not known */
function formatOf({ format, version, constants }: ConvertedMatrix): WeightFormat | undefined {
  const known: readonly WeightFormat[] = [...WEIGHT_FORMATS, ...GGML_FORMATS];
  const found = constants ? FORMS[format]?.(constants) : known.find(({ name }) => name === format);
  return (found?.version ?? 1) === version ? found : undefined;
}

/** @returns the name of the tensor that has a part of a matrix */
export function partName(matrix: string, part: { readonly name: string }): string {
  return `${matrix}.${part.name}`;
}

/** Matrices as `webvlm convert` writes them: in the formats in which they lie on the GPU. */
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
  const format = formatOf(matrix);
  if (!format) {
    throw new Error(
      `${name} is in version ${matrix.version} of the format ${matrix.format}, which is not known: ` +
        `use the version of WebVLM that has converted the model, or convert it again`,
    );
  }
  const { shape } = matrix;
  const [O, D] = shape;
  const isReordered = tensors.has(partName(name, COLUMNS));
  const parts = [...format.parts, ...(isReordered ? [COLUMNS] : [])].map((part) => {
    const own = partName(name, part);
    const info = tensors.get(own);
    if (!info) throw new Error(`${name} is in ${format.name}, but there is no tensor ${own}`);
    const words = part.rowWords ? [O, part.rowWords(D)] : [part.words(O, D)];
    expectShape(own, info, words, "U32");
    return { name: own, info, rows: part.rowWords ? O : 1 };
  });
  return {
    ...{ shape, format, isReordered, isCopied: true },
    tensors: parts,
    writeTo: (target) =>
      parts.map(
        (_, part) => (first, _count, bytes) =>
          part < format.parts.length
            ? target.copy(part, first, bytes)
            : target.orderColumns(wordsOf(bytes)),
      ),
  };
}
