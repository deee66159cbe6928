/** @returns up to three names that share the most parts, between dots, with `name` */
export function suggestNames(name: string, names: readonly string[]): string[] {
  const parts = new Set(name.split("."));
  const scored = names.map((candidate) => {
    const own = candidate.split(".");
    const common = own.filter((part) => parts.has(part)).length;
    return { candidate, score: common / (own.length + parts.size - common) };
  });
  return scored
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}
