import { API_PREFIX } from "../net/api-prefix.ts";
import type { OriginServer, ShareOptions } from "../net/origin/share-with-origin.ts";
import { type UpstreamOptions, upstreamUrl } from "../net/upstream/address.ts";
import type { FetchHandler } from "../openai/handler.ts";
import { DeviceError } from "../platform/device-error.ts";
import { pageUpstream } from "./intercept.ts";
import type { Vlm } from "./load.ts";

export interface ServeOriginOptions extends ShareOptions {
  /**
   * As for `intercept`. Its URL must not be below the answered prefix. If this device can't run the
   * model (DeviceError), the upstream answers everything.
   */
  readonly upstream?: UpstreamOptions;
}

/**
 * Offers a model to the whole origin. It answers `fetch("/v1/…")` of every tab, frame and worker that
 * the page's service worker (`webvlm/service-worker`) controls. Of all tabs that offer a model, one
 * answers. When it closes, the next takes over.
 *
 * @param model a loaded model, or a function that loads one. The function is called only when this
 *   tab becomes the one that answers, so that the origin has a single copy on the GPU.
 * @returns once this tab's model is loaded, or at once when another tab answers
 * @throws Error without a service worker; RangeError for an invalid upstream; the error of `model`
 */
export async function serveOrigin(
  model: Vlm | (() => Promise<Vlm>),
  { upstream, ...shareOptions }: ServeOriginOptions = {},
): Promise<OriginServer> {
  let loaded: Vlm | undefined;
  if (upstream) checkOutside(upstream, shareOptions.prefix);
  // A file of its own, because most pages answer only themselves.
  const { shareWithOrigin } = await import("../net/origin/share-with-origin.ts");
  const server = await shareWithOrigin(async () => {
    let vlm: Vlm;
    try {
      vlm = typeof model === "function" ? (loaded = await model()) : model;
    } catch (error) {
      if (!upstream || !(error instanceof DeviceError)) throw error;
      return pageUpstream(undefined, upstream);
    }
    const fetch: FetchHandler = (request, url = request.url) =>
      vlm.fetch(new Request(url, request));
    return upstream ? pageUpstream({ id: vlm.id, fetch }, upstream) : fetch;
  }, shareOptions);
  return {
    get owner() {
      return server.owner;
    },
    close() {
      server.close();
      loaded?.dispose();
    },
  };
}

/** @throws RangeError for an upstream that the service worker would send back to this page */
function checkOutside({ url }: UpstreamOptions, prefix = API_PREFIX): void {
  const { origin, pathname } = new URL(upstreamUrl(url, document.baseURI));
  if (origin !== location.origin || !`${pathname}/`.startsWith(prefix)) return;
  throw new RangeError(`serveOrigin: the upstream is below ${prefix}, which is answered here`);
}
