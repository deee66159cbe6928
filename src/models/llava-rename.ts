/** Published names, from LLaVA on, for those of the modules' parameters that are used here. */
export function projectedRename(name: string): string {
  return name
    .replace(/^model\.language_model\./, "language_model.model.")
    .replace(/^lm_head\./, "language_model.lm_head.")
    .replace(/^model\./, "");
}

/** The same where the tower is CLIP or SigLIP, whose published names have one part more. */
export function llavaRename(name: string): string {
  return projectedRename(name).replace(/^vision_tower\./, "vision_tower.vision_model.");
}
