import { promisify } from "node:util";

/** How long Dawn waits between two looks at what the GPU has finished, in milliseconds. */
const INTERVAL_MS = 1;

const { setImmediate } = globalThis;
const __promisify__ = promisify(setImmediate);

/**
 * Makes Dawn wait a millisecond between two looks at what the GPU has finished.
 *
 * Dawn's package for Node looks in a loop of `setImmediate`, which keeps a core busy for as long as
 * anything is pending. A software adapter needs that core, and a laptop its battery. Only Dawn
 * schedules compiled functions; calls with functions of JavaScript stay as they are.
 */
export function slowDawnPolling(): void {
  globalThis.setImmediate = Object.assign(schedule, {
    __promisify__,
    [promisify.custom]: __promisify__,
  });
}

function schedule<T extends unknown[]>(
  callback: (...args: T) => void,
  ...args: T
): NodeJS.Immediate {
  if (!isCompiled(callback)) return setImmediate(callback, ...args);
  // Dawn ignores what it gets back.
  return setTimeout(callback, INTERVAL_MS, ...args) as unknown as NodeJS.Immediate;
}

/** @returns whether a function is neither JavaScript nor made by `bind` */
function isCompiled(callback: { readonly name: string }): boolean {
  const source = Function.prototype.toString.call(callback);
  return source.endsWith("{ [native code] }") && !callback.name.startsWith("bound ");
}
