/** What the repository keeps: small files, from the root of the repository. */
export const GOLDENS = "e2e/goldens";

/** Family folders as whole checkpoints, which `unpack.ts` makes before the tests run. */
export const UNPACKED = ".cache/goldens";
