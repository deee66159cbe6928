/** The most workgroups in a grid dimension that every device allows. */
const MAX_GRID = 65_535;

/** @returns a grid of at least `groups` workgroups, in two dimensions where one is too small */
export function fold(groups: number): [number, number] {
  const y = Math.ceil(groups / MAX_GRID);
  return [Math.ceil(groups / y), y];
}
