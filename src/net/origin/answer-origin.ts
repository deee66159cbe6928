import * as comlink from "comlink";
import { OpenAIError } from "../../openai/errors.ts";
import { withRequestId } from "../../openai/request-id.ts";
import type { FetchHost } from "../../worker/api.ts";
import { remoteFetch } from "../../worker/remote-fetch.ts";
import { failedEvents } from "./failed-events.ts";
import { type NewOwner, type Owns, type WhoOwns, holdLock, whenLockEnds } from "./protocol.ts";
import type { FetchEvent, ServiceWorkerScope, WindowClient } from "./scope.ts";

export interface AnswerOriginOptions {
  /** Paths that are answered, with a slash at both ends. Default "/v1/". */
  readonly prefix?: string;
  /** How long a request waits for a tab that can answer it. Default 10 s. */
  readonly waitMs?: number;
}

/** The tab that answers. */
interface Owner {
  readonly fetch: (request: Request) => Promise<Response>;
  /** Aborts when the tab is gone, or no longer answers. */
  readonly gone: AbortSignal;
}

/** How often tabs are asked again when none of them is the owner; a new owner tells of itself too. */
const ASK_AGAIN_MS = 500;

/** How often a caller that waits for its answer is looked for. */
const LOOK_MS = 1_000;

/**
 * Makes a service worker answer the requests below `prefix` of all that it controls, through
 * whichever tab has called `serveOrigin`. Call it while the worker's script runs for the first time;
 * every other request is left alone.
 *
 * @param scope the service worker's own scope
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
    event.respondWith(answer(event.request, caller.signal, owners, waitMs).finally(caller.stop));
  });
}

/** Asks one owner after another until one has answered, or the time is over. */
async function answer(
  request: Request,
  signal: AbortSignal,
  owners: Owners,
  waitMs: number,
): Promise<Response> {
  const { method, url, headers } = request;
  // Kept here, for an owner that goes before it has answered.
  const body = method === "GET" || method === "HEAD" ? null : await request.arrayBuffer();
  const deadline = Date.now() + waitMs;
  for (;;) {
    const owner = await owners.find(deadline, signal);
    if (!owner) return withRequestId(nobody().toResponse(), request);
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
 * A signal that aborts when the caller gives up. Before the answer's headers Chromium tells nothing
 * of that, so the caller is looked for; afterwards the answer's body is cancelled.
 */
function watchCaller(
  { clients }: ServiceWorkerScope,
  { request, clientId }: FetchEvent,
): { signal: AbortSignal; stop(): void } {
  const gone = new AbortController();
  const look = async (): Promise<void> => {
    if (!(await clients.get(clientId))) gone.abort(new DOMException("gone", "AbortError"));
  };
  const timer = clientId ? setInterval(() => void look(), LOOK_MS) : undefined;
  return {
    signal: AbortSignal.any([request.signal, gone.signal]),
    stop: () => clearInterval(timer),
  };
}

function nobody(): OpenAIError {
  const message =
    "No tab of this origin serves a model. Open one that calls serveOrigin(), and try again.";
  return new OpenAIError(503, message, { code: "no_owner", headers: { "retry-after": "2" } });
}

/** Finds the tab that owns the model, and remembers it for as long as it does. */
class Owners {
  readonly #scope: ServiceWorkerScope;
  readonly #prefix: string;
  #own: Promise<{ name: string }> | undefined;
  #known: Owner | undefined;
  readonly #wake = new Set<() => void>();

  constructor(scope: ServiceWorkerScope, prefix: string) {
    this.#scope = scope;
    this.#prefix = prefix;
  }

  /** There is a new owner: whoever waits for one asks at once. */
  askAgain(): void {
    this.#known = undefined;
    for (const wake of this.#wake) wake();
  }

  /** @returns the owner; undefined when there is none until `deadline`, in ms of `Date.now()` */
  async find(deadline: number, signal: AbortSignal): Promise<Owner | undefined> {
    for (;;) {
      if (this.#known && !this.#known.gone.aborted) return this.#known;
      const asked = await this.#ask(Math.min(ASK_AGAIN_MS, Math.max(0, deadline - Date.now())));
      signal.throwIfAborted();
      if (asked) return (this.#known = asked);
      if (Date.now() >= deadline) return undefined;
    }
  }

  /** Asks all tabs, and waits for the first that owns the model, or for a reason to ask again. */
  async #ask(waitMs: number): Promise<Owner | undefined> {
    const { name } = await (this.#own ??= holdLock("service worker"));
    const tabs = await this.#scope.clients.matchAll({ type: "window", includeUncontrolled: true });
    const question: WhoOwns = { webvlm: "who-owns", prefix: this.#prefix, worker: name };
    let ports: MessagePort[] = [];
    let over = (): void => {};
    const answered = new Promise<Owner | undefined>((resolve) => {
      over = () => resolve(undefined);
      ports = tabs.map((tab) => ask(tab, question, resolve));
    });
    this.#wake.add(over);
    const timer = setTimeout(over, waitMs);
    try {
      return await answered;
    } finally {
      clearTimeout(timer);
      this.#wake.delete(over);
      for (const port of ports) port.close();
    }
  }
}

function ask(tab: WindowClient, question: WhoOwns, resolve: (owner: Owner) => void): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data, ports: [host] }: MessageEvent<Owns>) => {
    port1.close();
    const gone = whenLockEnds(data.owner, new Error("the tab that ran the model was closed"));
    const remote = comlink.wrap<FetchHost>(host as MessagePort);
    resolve({ fetch: remoteFetch(remote, gone), gone });
  };
  tab.postMessage(question, [port2]);
  return port1;
}
