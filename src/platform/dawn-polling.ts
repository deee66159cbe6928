import { promisify } from "node:util";

/** How long Dawn waits between two looks at what the GPU has finished, in milliseconds. */
const INTERVAL_MS = 1;

const { setImmediate } = globalThis;

/**
 * Makes Dawn wait a millisecond between two looks at what the GPU has finished.
 *
 * Dawn's package for Node looks in a loop of `setImmediate`, which keeps a core busy for as long as
 * anything is pending. A software adapter needs that core, and a laptop its battery. Only Dawn
 * schedules compiled functions; calls with functions of JavaScript stay as they are.
 */
export function slowDawnPolling(): void {
  const custom = { [promisify.custom]: setImmediate[promisify.custom] };
  globalThis.setImmediate = Object.assign(schedule, custom) as typeof setImmediate;
}

function schedule<T extends unknown[]>(callback: (...args: T) => void, ...args: T): object {
  return isCompiled(callback)
    ? setTimeout(callback, INTERVAL_MS, ...args)
    : setImmediate(callback, ...args);
}

/** @returns whether a function is neither JavaScript nor made by `bind` */
function isCompiled(callback: (...args: never[]) => void): boolean {
  const source = Function.prototype.toString.call(callback);
  return source.endsWith("{ [native code] }") && !callback.name.startsWith("bound ");
}
