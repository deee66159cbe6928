import type { GgufMetadata, GgufValue } from "./header.ts";

/** A file's metadata, read by the type that a key must have. */
export interface Metadata {
  /** @throws Error naming file and key */
  text(key: string): string;
  number(key: string): number;
  numbers(key: string): readonly number[];
  /** @returns undefined when the file does not have the key */
  get(key: string): GgufValue | undefined;
  numberOr<T>(key: string, otherwise: T): number | T;
}

/**
 * @param file for errors
 * @param prefix of all keys, such as "llama."
 */
export function metadataOf(file: string, values: GgufMetadata, prefix = ""): Metadata {
  const get = (key: string) => values.get(prefix + key);
  const wrong = (key: string, expected: string) => {
    const value = get(key);
    const found = value === undefined ? "missing" : JSON.stringify(value).slice(0, 100);
    return new Error(`${file}: ${prefix}${key} is ${found}, expected ${expected}`);
  };
  const number = (key: string) => {
    const value = get(key);
    if (typeof value === "number") return shortest(value);
    throw wrong(key, "a number");
  };
  return {
    get,
    number,
    text(key) {
      const value = get(key);
      if (typeof value === "string") return value;
      throw wrong(key, "a string");
    },
    numbers(key) {
      const value = get(key);
      if (Array.isArray(value) && value.every((one) => typeof one === "number")) {
        return value.map(shortest);
      }
      throw wrong(key, "numbers");
    },
    numberOr: (key, otherwise) => (get(key) === undefined ? otherwise : number(key)),
  };
}

/** The shortest decimal that is the same 32-bit float: 1e-6 for 9.999999974752427e-7. */
function shortest(value: number): number {
  if (Number.isInteger(value) || Math.fround(value) !== value) return value;
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}
