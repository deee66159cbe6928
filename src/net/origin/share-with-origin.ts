import * as comlink from "comlink";
import { modelLoading } from "../../openai/errors.ts";
import type { FetchHandler } from "../../openai/handler.ts";
import { withRequestId } from "../../openai/request-id.ts";
import { untilAborted } from "../../platform/until-aborted.ts";
import { fetchService } from "../../worker/fetch-service.ts";
import { API_PREFIX } from "../api-prefix.ts";
import {
  type NewOwner,
  type Owns,
  type WhoOwns,
  holdLock,
  ownershipLock,
  whenLockEnds,
} from "./protocol.ts";

/** Which requests a tab offers to answer, and how. */
export interface ShareOptions {
  /** Paths that the service worker answers, with a slash at both ends. Default "/v1/". */
  readonly prefix?: string;
  /** The service worker's script, to be registered here. Default: the page has registered one. */
  readonly script?: string | URL;
  /** How long a request waits for a model that is still loading, in ms. Default 10,000. */
  readonly waitMs?: number;
  /** Called when this tab has become the one that answers. Its model is loaded then. */
  readonly onOwner?: () => void;
}

/** A tab's offer to answer for its origin. */
export interface OriginServer {
  /** Whether this tab is the one that answers. */
  readonly owner: boolean;
  /**
   * Withdraws the offer. If this tab is the owner, its answers fail and the next tab takes over. A
   * model that `serveOrigin` loaded is disposed.
   */
  close(): void;
}

/**
 * Offers a handler to all tabs, frames and workers that the page's service worker controls. Of all
 * tabs that offer one, only the owner loads and answers. When the owner closes, the next tab takes
 * over.
 *
 * @param load called when this tab becomes the owner
 * @returns once this tab's model is loaded, or at once when another tab is the owner
 * @throws Error without a service worker; the error of `load`
 */
export async function shareWithOrigin(
  load: () => Promise<FetchHandler>,
  { prefix = API_PREFIX, script, waitMs = 10_000, onOwner }: ShareOptions = {},
): Promise<OriginServer> {
  await register(script);
  const closed = new AbortController();
  const { signal } = closed;
  let owner = false;

  /** Owns the model until the offer is withdrawn. */
  const own = async (loaded: () => void): Promise<void> => {
    const life = await holdLock("owner");
    const loading = load();
    const stop = listen(prefix, life.name, async (request, url) => {
      const handler = await within(loading, request.url.endsWith("/health") ? 0 : waitMs);
      if (handler) return handler(request, url);
      return withRequestId(modelLoading().toResponse(), request);
    });
    try {
      await announceOwner(prefix);
      await untilAborted(loading, signal);
      owner = true;
      loaded();
      onOwner?.();
      await untilAborted(new Promise<never>(() => {}), signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      owner = false;
      stop();
      life.release();
    }
  };

  const name = ownershipLock(prefix);
  const isOwned = await new Promise<boolean>((resolve, reject) => {
    const first = async (lock: Lock | null): Promise<void> => {
      if (lock) await own(() => resolve(false));
      else resolve(true);
    };
    navigator.locks.request(name, { ifAvailable: true }, first).catch(reject);
  });
  if (isOwned) {
    const next = navigator.locks.request(name, { signal }, () => own(() => {}));
    next.catch((error: unknown) => signal.aborted || reportError(error));
  }
  return {
    get owner() {
      return owner && !signal.aborted;
    },
    close: () => closed.abort(new Error("serveOrigin: the offer was withdrawn")),
  };
}

/** How long a page waits until a worker controls it. A worker that claims no clients never does. */
const CONTROL_MS = 5_000;

/** @throws Error when the page has no service worker */
async function register(script: string | URL | undefined): Promise<void> {
  const { serviceWorker } = navigator as { serviceWorker?: ServiceWorkerContainer };
  if (!serviceWorker) {
    throw new Error(
      "serveOrigin: this page can have no service worker; that needs https or localhost",
    );
  }
  if (script) await serviceWorker.register(script);
  else if (!(await serviceWorker.getRegistration())) {
    throw new Error("serveOrigin: no service worker is registered for this page; pass its script");
  }
  await serviceWorker.ready;
  if (serviceWorker.controller) return;
  await within(
    new Promise((resolve) => {
      serviceWorker.addEventListener("controllerchange", resolve, { once: true });
    }),
    CONTROL_MS,
  );
}

async function announceOwner(prefix: string): Promise<void> {
  const message: NewOwner = { webvlm: "new-owner", prefix };
  const { active } = await navigator.serviceWorker.ready;
  active?.postMessage(message);
}

/**
 * Tells the service worker that this tab is the owner whenever it asks, and answers its requests.
 *
 * @param owner name of a lock that is held until this tab stops answering
 * @returns stops listening, and aborts running requests
 */
function listen(prefix: string, owner: string, answer: FetchHandler): () => void {
  const stopped = new AbortController();
  const onMessage = ({ data, ports }: MessageEvent<WhoOwns | null>): void => {
    if (data?.webvlm !== "who-owns" || data.prefix !== prefix) return;
    const { port1, port2 } = new MessageChannel();
    const service = fetchService((request) => answer(request, apiUrl(request.url, prefix)));
    comlink.expose(service, port1);
    const workerStopped = whenLockEnds(data.worker, new Error("the service worker was stopped"));
    AbortSignal.any([workerStopped, stopped.signal]).addEventListener("abort", () => {
      service.endAll();
      port1.close();
    });
    const message: Owns = { owner };
    ports[0]?.postMessage(message, [port2]);
  };
  navigator.serviceWorker.addEventListener("message", onMessage);
  navigator.serviceWorker.startMessages();
  return () => {
    navigator.serviceWorker.removeEventListener("message", onMessage);
    stopped.abort();
  };
}

/** @returns the URL below "/v1/" */
function apiUrl(href: string, prefix: string): string {
  const url = new URL(href);
  url.pathname = API_PREFIX + url.pathname.slice(prefix.length);
  return url.href;
}

/** @returns the promise's value, or undefined after `ms` milliseconds */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: number | undefined;
  const late = new Promise<undefined>((resolve) => (timer = window.setTimeout(resolve, ms)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    window.clearTimeout(timer);
  }
}
