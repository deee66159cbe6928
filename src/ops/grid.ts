/** One grid dimension stops here on every device. */
export const MAX_GRID = 65_535;

/** @returns a grid of at least `groups` workgroups, folded into y where x does not hold them */
export function fold(groups: number): [number, number] {
  const y = Math.ceil(groups / MAX_GRID);
  return [Math.ceil(groups / y), y];
}
