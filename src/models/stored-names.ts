/** Replaces a part of a tensor's name. */
export type Rewrite = readonly [pattern: RegExp | string, replacement: string];

/**
 * The names that a tensor may have in a checkpoint. Versions of transformers wrote different parts of a
 * name in different ways, and saved again what an earlier one had written, so any of `rewrites` may
 * apply, in this order, whether the others do or not.
 *
 * @param name as the modules of transformers 5 have it
 * @returns `name` first
 */
export function storedNames(name: string, rewrites: readonly Rewrite[]): readonly string[] {
  let names = [name];
  for (const [pattern, replacement] of rewrites) {
    const rewritten = names.map((known) => known.replace(pattern, replacement));
    names = [...new Set([...names, ...rewritten])];
  }
  return names;
}

/** Files of the model without its head lack the first part. */
export const HEADLESS: Rewrite = [/^model\./, ""];

/** Some files have the head in the language model. */
export const LANGUAGE_HEAD: Rewrite = [/^lm_head\./, "language_model.lm_head."];

const LLAVA: readonly Rewrite[] = [
  [/^model\.language_model\./, "model.language_model.model."],
  HEADLESS,
  LANGUAGE_HEAD,
  // Towers of CLIP and SigLIP were models of their own up to transformers 4.
  [/(^|\.)vision_tower\./, "$1vision_tower.vision_model."],
];

/** `storedNames` of LLaVA and its relatives. */
export function llavaNames(name: string): readonly string[] {
  return storedNames(name, LLAVA);
}
