import type { FetchHandler } from "../openai/handler.ts";
import { API_PREFIX } from "./api-prefix.ts";

/** One intercepted prefix. */
interface Route {
  readonly prefix: string;
  readonly handler: FetchHandler;
}

const routes: Route[] = [];

/** Our `fetch`, and the property it replaced. Undefined while nothing is intercepted. */
let patch: { readonly before: PropertyDescriptor; readonly ours: typeof fetch } | undefined;

/**
 * Lets `handler` answer the page's own `fetch(prefix + …)`. Every other call reaches the `fetch` that
 * was there before, with unchanged arguments.
 *
 * @param prefix paths of the page's origin, with a slash at both ends
 * @returns the undo; calling it twice is harmless, and several undos may be called in any order
 * @throws RangeError for a prefix without its slashes, Error for one that is already intercepted
 */
export function interceptFetch(handler: FetchHandler, prefix = API_PREFIX): () => void {
  if (!/^\/(.*\/)?$/.test(prefix)) {
    throw new RangeError(`intercept: prefix is "${prefix}", expected a slash at both ends`);
  }
  if (routes.some((route) => route.prefix === prefix)) {
    throw new Error(`intercept: ${prefix} is already intercepted; undo that first`);
  }
  const route = { prefix, handler };
  routes.push(route);
  install();
  return () => {
    const index = routes.indexOf(route);
    if (index < 0) return;
    routes.splice(index, 1);
    if (routes.length === 0) uninstall();
  };
}

/** The page's `fetch` from before the first interception. */
export const pageFetch: typeof fetch = (...args) => {
  const { value: original } = patch?.before ?? { value: globalThis.fetch };
  return Reflect.apply(original as typeof fetch, globalThis, args);
};

function install(): void {
  // Still installed, perhaps below another patch; unless somebody restored the earlier `fetch`.
  if (patch && globalThis.fetch !== patch.before.value) return;
  const before = Object.getOwnPropertyDescriptor(globalThis, "fetch");
  if (!before) throw new Error("intercept: this scope has no fetch of its own");
  const original = globalThis.fetch;
  const ours = function fetch(this: unknown, ...args: Parameters<typeof globalThis.fetch>) {
    const url = requestUrl(args[0]);
    const route = url && findRoute(url);
    if (!route) return Reflect.apply(original, this, args);
    return callHandler(route, url, args);
  };
  patch = { before, ours };
  Object.defineProperty(globalThis, "fetch", { ...before, value: ours });
}

function uninstall(): void {
  // Below another patch, ours stays and passes every call on.
  if (patch?.ours !== globalThis.fetch) return;
  Object.defineProperty(globalThis, "fetch", patch.before);
  patch = undefined;
}

/** @returns the URL that `fetch` would request; undefined where `fetch` would fail */
function requestUrl(input: RequestInfo | URL): URL | undefined {
  try {
    return new URL(input instanceof Request ? input.url : input, document.baseURI);
  } catch {
    return undefined;
  }
}

/** @returns the route whose prefix matches; the longest of several */
function findRoute(url: URL): Route | undefined {
  if (url.origin !== location.origin) return undefined;
  let longest: Route | undefined;
  for (const route of routes) {
    if (!url.pathname.startsWith(route.prefix)) continue;
    if (!longest || route.prefix.length > longest.prefix.length) longest = route;
  }
  return longest;
}

/** Async, so that an invalid `init` rejects, as it does for `fetch`, and doesn't throw. */
async function callHandler(
  { prefix, handler }: Route,
  url: URL,
  [input, init]: Parameters<typeof fetch>,
): Promise<Response> {
  url.pathname = API_PREFIX + url.pathname.slice(prefix.length);
  return handler(new Request(input, init), url.href);
}
