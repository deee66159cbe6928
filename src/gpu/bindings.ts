/**
 * Puts the bindings of all groups in group 0, one group after another, so that a dispatch needs one bind group.
 *
 * @param code WGSL
 * @param sizes bindings of groups 0, 1, ...
 * @throws RangeError when the code declares a binding that its group doesn't have
 */
export function joinGroups(code: string, sizes: readonly number[]): string {
  const firsts: number[] = [];
  let total = 0;
  for (const size of sizes) {
    firsts.push(total);
    total += size;
  }
  return code.replace(/@group\((\d+)\)\s*@binding\((\d+)\)/g, (declared, group, binding) => {
    const [first, size = 0] = [firsts[group], sizes[group]];
    if (+binding >= size) {
      throw new RangeError(`joinGroups: ${declared}, but group ${group} has ${size} bindings`);
    }
    return `@group(0)@binding(${first! + +binding})`;
  });
}
