import * as comlink from "comlink";
import { modelLoading } from "../../openai/errors.ts";
import { withRequestId } from "../../openai/request-id.ts";
import { fetchHost } from "../../worker/fetch-host.ts";
import { untilAborted } from "../../worker/remote-fetch.ts";
import type { FetchHandler } from "../intercept.ts";
import {
  type NewOwner,
  type Owns,
  type WhoOwns,
  holdLock,
  ownershipLock,
  whenLockEnds,
} from "./protocol.ts";

export interface ServeOriginOptions {
  /** What the service worker answers, with a slash at both ends. Default "/v1/". */
  readonly prefix?: string;
  /** The service worker's script, to be registered; by default the page has done that itself. */
  readonly script?: string | URL;
  /** How long a request waits for a model that is still loading. Default 10 s. */
  readonly waitMs?: number;
  /** Told when this tab becomes the one that answers: its model is loaded then. */
  readonly onOwner?: () => void;
}

/** A tab's offer to answer for its origin. */
export interface OriginServer {
  /** Whether this tab is the one that answers. */
  readonly owner: boolean;
  /**
   * Takes the offer back. If this tab answers, its answers fail, the next tab takes over, and a model
   * that was loaded for this is disposed of.
   */
  close(): void;
}

/** What answers, once it is loaded. */
export type LoadHandler = () => Promise<FetchHandler>;

/**
 * Offers to answer the requests of all tabs, frames and workers that the page's service worker
 * controls. One tab of all that offer does, and only that one loads its model; when it closes, the
 * next does.
 *
 * @param load called when this tab becomes the owner
 * @returns once this tab's model is loaded, or at once when another tab is the owner already
 * @throws Error where there is no service worker; what `load` throws
 */
export async function serveOrigin(
  load: LoadHandler,
  { prefix = "/v1/", script, waitMs = 10_000, onOwner }: ServeOriginOptions = {},
): Promise<OriginServer> {
  await register(script);
  const closed = new AbortController();
  const { signal } = closed;
  let owner = false;

  const own = async (loaded: () => void): Promise<void> => {
    const life = await holdLock("owner");
    const loading = load();
    const stop = listen(prefix, life.name, async (request, url) => {
      const handler = await within(loading, request.url.endsWith("/health") ? 0 : waitMs);
      if (handler) return handler(request, url);
      return withRequestId(modelLoading().toResponse(), request);
    });
    try {
      await tell(prefix);
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
    close: () => closed.abort(new Error("serveOrigin: the offer was taken back")),
  };
}

/** How long a page waits to be controlled: a worker that does not claim it never does. */
const CONTROL_MS = 5_000;

/** @throws Error where there is no service worker for this page */
async function register(script: string | URL | undefined): Promise<void> {
  const { serviceWorker } = navigator as { serviceWorker?: ServiceWorkerContainer };
  if (!serviceWorker) {
    throw new Error("serveOrigin: this page has no service workers; they need https or localhost");
  }
  if (script) await serviceWorker.register(script);
  else if (!(await serviceWorker.getRegistration())) {
    throw new Error("serveOrigin: no service worker is registered for this page; name its script");
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

async function tell(prefix: string): Promise<void> {
  const message: NewOwner = { webvlm: "new-owner", prefix };
  const { active } = await navigator.serviceWorker.ready;
  active?.postMessage(message);
}

/**
 * Answers the service worker's questions, and then its requests.
 *
 * @param owner a lock that is held until this tab answers no more
 * @returns stops listening, and what is being answered
 */
function listen(prefix: string, owner: string, answer: FetchHandler): () => void {
  const stopped = new AbortController();
  const hear = ({ data, ports }: MessageEvent<WhoOwns | null>): void => {
    if (data?.webvlm !== "who-owns" || data.prefix !== prefix) return;
    const { port1, port2 } = new MessageChannel();
    const host = fetchHost((request) => answer(request, servedUrl(request.url, prefix)));
    comlink.expose(host, port1);
    const workerStopped = whenLockEnds(data.worker, new Error("the service worker was stopped"));
    AbortSignal.any([workerStopped, stopped.signal]).addEventListener("abort", () => {
      host.endAll();
      port1.close();
    });
    const message: Owns = { owner };
    ports[0]?.postMessage(message, [port2]);
  };
  navigator.serviceWorker.addEventListener("message", hear);
  navigator.serviceWorker.startMessages();
  return () => {
    navigator.serviceWorker.removeEventListener("message", hear);
    stopped.abort();
  };
}

function servedUrl(href: string, prefix: string): string {
  const url = new URL(href);
  url.pathname = `/v1/${url.pathname.slice(prefix.length)}`;
  return url.href;
}

/** @returns what the promise gives, or undefined after so many ms */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: number | undefined;
  const late = new Promise<undefined>((resolve) => (timer = window.setTimeout(resolve, ms)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    window.clearTimeout(timer);
  }
}
