import * as comlink from "comlink";
import { OpenAIError } from "../../openai/errors.ts";
import type { FetchHandler } from "../../openai/handler.ts";
import { withRequestId } from "../../openai/request-id.ts";
import type { FetchService } from "../../worker/protocol.ts";
import { remoteFetch } from "../../worker/remote-fetch.ts";
import { failedEvents } from "./failed-events.ts";
import { type NewOwner, type Owns, type WhoOwns, holdLock, whenLockEnds } from "./protocol.ts";
import type { FetchEvent, ServiceWorkerScope, WindowClient } from "./scope.ts";

export interface AnswerOriginOptions {
  /** Paths to answer, with a slash at both ends. Default "/v1/". */
  readonly prefix?: string;
  /** How long a request waits for a tab that can answer it, in ms. Default 10,000. */
  readonly waitMs?: number;
}

/** The tab that has the model. */
interface Owner {
  readonly fetch: FetchHandler;
  /** Aborts when the tab is closed, or stops answering. */
  readonly gone: AbortSignal;
}

/** How often the tabs are asked again while none of them is the owner, in ms. */
const ASK_AGAIN_MS = 500;

/** How often the worker checks that a waiting caller still exists, in ms. */
const CALLER_CHECK_MS = 1_000;

/**
 * Lets a service worker answer requests below `prefix`. The tab that called `serveOrigin` computes
 * the answers. All other requests are left alone. Call it synchronously in the worker's script.
 *
 * @param scope the service worker's own scope: `self`
 * @throws RangeError for a prefix without its slashes
 */
export function answerOrigin(
  scope: ServiceWorkerScope,
  { prefix = "/v1/", waitMs = 10_000 }: AnswerOriginOptions = {},
): void {
  if (!/^\/(.*\/)?$/.test(prefix)) {
    throw new RangeError(`answerOrigin: prefix is "${prefix}", expected a slash at both ends`);
  }
  const { origin } = new URL(scope.location.href);
  const owners = new Owners(scope, prefix);

  scope.addEventListener("message", (event) => {
    const message = event.data as NewOwner | null;
    if (message?.webvlm === "new-owner" && message.prefix === prefix) owners.askAgain();
  });
  scope.addEventListener("fetch", (event: FetchEvent) => {
    const url = new URL(event.request.url);
    if (url.origin !== origin || !url.pathname.startsWith(prefix)) return;
    const caller = watchCaller(scope, event);
    event.respondWith(askOwner(event.request, caller.signal, owners, waitMs).finally(caller.stop));
  });
}

/** Asks one owner after another, until one has answered or the time is over. */
async function askOwner(
  request: Request,
  signal: AbortSignal,
  owners: Owners,
  waitMs: number,
): Promise<Response> {
  const { method, url, headers } = request;
  // Kept for the next owner, in case this one closes before it has answered.
  const body = method === "GET" || method === "HEAD" ? null : await request.arrayBuffer();
  const deadline = Date.now() + waitMs;
  for (;;) {
    const owner = await owners.find(deadline, signal);
    if (!owner) return withRequestId(noOwner().toResponse(), request);
    try {
      const response = await owner.fetch(new Request(url, { method, headers, body, signal }));
      return failedEvents(response, owner.gone);
    } catch (error) {
      signal.throwIfAborted();
      if (!owner.gone.aborted) throw error;
    }
  }
}

/**
 * A signal that aborts when the caller gives up. Before the response has headers, Chromium reports
 * no abort to the worker, so a timer checks that the caller exists. Later, Chromium cancels the body.
 */
function watchCaller(
  { clients }: ServiceWorkerScope,
  { request, clientId }: FetchEvent,
): { signal: AbortSignal; stop(): void } {
  const gone = new AbortController();
  const check = async (): Promise<void> => {
    if (!(await clients.get(clientId))) gone.abort(new DOMException("gone", "AbortError"));
  };
  const timer = clientId ? setInterval(() => void check(), CALLER_CHECK_MS) : undefined;
  return {
    signal: AbortSignal.any([request.signal, gone.signal]),
    stop: () => clearInterval(timer),
  };
}

function noOwner(): OpenAIError {
  const message =
    "No tab of this origin serves a model. Open one that calls serveOrigin(), and try again.";
  return new OpenAIError(503, message, { code: "no_owner", headers: { "retry-after": "2" } });
}

/** Finds the tab that owns the model, and remembers it while it does. */
class Owners {
  readonly #scope: ServiceWorkerScope;
  readonly #prefix: string;
  /** The lock that tells tabs whether this worker still runs. */
  #lock: Promise<{ name: string }> | undefined;
  #known: Owner | undefined;
  readonly #wake = new Set<() => void>();

  constructor(scope: ServiceWorkerScope, prefix: string) {
    this.#scope = scope;
    this.#prefix = prefix;
  }

  /** A new owner has announced itself: requests that wait for one ask at once. */
  askAgain(): void {
    this.#known = undefined;
    for (const wake of this.#wake) wake();
  }

  /**
   * @param deadline in ms of `Date.now()`
   * @returns the owner; undefined when no tab owns the model until the deadline
   */
  async find(deadline: number, signal: AbortSignal): Promise<Owner | undefined> {
    for (;;) {
      if (this.#known && !this.#known.gone.aborted) return this.#known;
      const asked = await this.#ask(Math.min(ASK_AGAIN_MS, Math.max(0, deadline - Date.now())));
      signal.throwIfAborted();
      if (asked) return (this.#known = asked);
      if (Date.now() >= deadline) return undefined;
    }
  }

  /** Asks all tabs. Resolves with the owner, or with undefined when it is time to ask again. */
  async #ask(waitMs: number): Promise<Owner | undefined> {
    const { name } = await (this.#lock ??= holdLock("service worker"));
    const tabs = await this.#scope.clients.matchAll({ type: "window", includeUncontrolled: true });
    const question: WhoOwns = { webvlm: "who-owns", prefix: this.#prefix, worker: name };
    let ports: MessagePort[] = [];
    let giveUp = (): void => {};
    const answered = new Promise<Owner | undefined>((resolve) => {
      giveUp = () => resolve(undefined);
      ports = tabs.map((tab) => askTab(tab, question, resolve));
    });
    this.#wake.add(giveUp);
    const timer = setTimeout(giveUp, waitMs);
    try {
      return await answered;
    } finally {
      clearTimeout(timer);
      this.#wake.delete(giveUp);
      for (const port of ports) port.close();
    }
  }
}

function askTab(
  tab: WindowClient,
  question: WhoOwns,
  resolve: (owner: Owner) => void,
): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data, ports: [port] }: MessageEvent<Owns>) => {
    port1.close();
    const gone = whenLockEnds(data.owner, new Error("the tab that ran the model was closed"));
    const service = comlink.wrap<FetchService>(port as MessagePort);
    resolve({ fetch: remoteFetch(service, gone), gone });
  };
  tab.postMessage(question, [port2]);
  return port1;
}
