import type { StoredTensor, WeightFormat } from "./format.ts";

/** In place of a format's name. */
export const VECTOR = "vector";

/** @returns what identifies a tensor as it lies on the GPU; `format` is undefined for a vector */
export function packedKey(
  { name }: StoredTensor,
  format: WeightFormat | undefined,
  shape: readonly number[],
): string {
  const stored = format ? formatKey(format) : VECTOR;
  return `${name} ${stored} ${shape.join("x")}`;
}

/** @returns the format's name and its version */
export function formatKey({ name, version = 1 }: WeightFormat): string {
  return `${name}.${version}`;
}

/** @returns the format's name and version in a `packedKey`, or "vector" */
export function formatOfKey(key: string): string {
  return key.split(" ").at(-2) ?? "";
}
