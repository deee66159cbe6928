/**
 * Imports an optional dependency. Only Node needs it, so it may not be installed.
 *
 * @throws Error whose message says how to install it
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
      `The package ${name} is needed, but could not be loaded (${message}). It is an ` +
        `optional dependency: install it with "npm install ${name}".`,
      { cause },
    );
  }
}
