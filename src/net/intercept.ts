/** Answers a request, as a server would; `url` goes before `request.url`. */
export type FetchHandler = (request: Request, url: string) => Promise<Response>;

export interface InterceptOptions {
  /**
   * Paths of the page's own origin that are answered here, with a slash at both ends; what is below
   * it is served as if below "/v1/". Default "/v1/".
   */
  readonly prefix?: string;
}

/** What one `intercept` claims. */
interface Route {
  readonly prefix: string;
  readonly handler: FetchHandler;
}

const SERVED = "/v1/";

const routes: Route[] = [];

/** The `fetch` that was there before ours, and ours; unset while nothing is intercepted. */
let patch: { readonly before: PropertyDescriptor; readonly ours: typeof fetch } | undefined;

/**
 * Answers the page's own `fetch(prefix + …)` with `handler`. Every other call reaches the `fetch`
 * that was there before with the arguments it came with.
 *
 * @returns the undo; calling it twice does nothing more, and undos may be called in any order
 * @throws RangeError for a prefix without its slashes, Error for one that is already intercepted
 */
export function intercept(
  handler: FetchHandler,
  { prefix = SERVED }: InterceptOptions = {},
): () => void {
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

/** The page's `fetch` as it would be without what is intercepted here. */
export const pageFetch: typeof fetch = (...args) => {
  const { value: original } = patch?.before ?? { value: globalThis.fetch };
  return Reflect.apply(original as typeof fetch, globalThis, args);
};

function install(): void {
  // Ours may lie under somebody else's patch; but not if what was before ours is back.
  if (patch && globalThis.fetch !== patch.before.value) return;
  const before = Object.getOwnPropertyDescriptor(globalThis, "fetch");
  if (!before) throw new Error("intercept: this scope has no fetch of its own");
  const original = globalThis.fetch;
  const ours = function fetch(this: unknown, ...args: Parameters<typeof globalThis.fetch>) {
    const url = urlOf(args[0]);
    const route = url && claim(url);
    if (!route) return Reflect.apply(original, this, args);
    return answer(route, url, args);
  };
  patch = { before, ours };
  Object.defineProperty(globalThis, "fetch", { ...before, value: ours });
}

function uninstall(): void {
  // If somebody patched over us, ours stays under theirs and passes everything on.
  if (patch?.ours !== globalThis.fetch) return;
  Object.defineProperty(globalThis, "fetch", patch.before);
  patch = undefined;
}

/** @returns where a fetch would go; undefined where it would fail */
function urlOf(input: RequestInfo | URL): URL | undefined {
  try {
    return new URL(input instanceof Request ? input.url : input, document.baseURI);
  } catch {
    return undefined;
  }
}

/** @returns the route with the longest prefix that the URL is below */
function claim(url: URL): Route | undefined {
  if (url.origin !== location.origin) return undefined;
  let longest: Route | undefined;
  for (const route of routes) {
    if (!url.pathname.startsWith(route.prefix)) continue;
    if (!longest || route.prefix.length > longest.prefix.length) longest = route;
  }
  return longest;
}

/** Rejects, and never throws, as `fetch` does. */
async function answer(
  { prefix, handler }: Route,
  url: URL,
  [input, init]: Parameters<typeof fetch>,
): Promise<Response> {
  url.pathname = SERVED + url.pathname.slice(prefix.length);
  return handler(new Request(input, init), url.href);
}
