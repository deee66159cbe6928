/** Published names of LLaVA and its relatives, for the names of the modules' parameters. */
export function projectedRename(name: string): string {
  return name
    .replace(/^model\.language_model\./, "language_model.model.")
    .replace(/^lm_head\./, "language_model.lm_head.")
    .replace(/^model\./, "");
}

/** As `projectedRename`, for CLIP and SigLIP towers, whose published names have one more part. */
export function llavaRename(name: string): string {
  return projectedRename(name).replace(/^vision_tower\./, "vision_tower.vision_model.");
}
