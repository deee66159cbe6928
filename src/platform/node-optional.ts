/**
 * Loads one of the packages that only Node needs, and that may have been left out.
 *
 * @throws Error saying how to get it
 */
export async function importOptional<Module>(
  name: string,
  load: () => Promise<Module>,
): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(
      `The package ${name} is needed here, and could not be loaded (${message}). It is an ` +
        `optional dependency: install it with "npm install ${name}".`,
      { cause },
    );
  }
}
