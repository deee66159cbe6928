import type { Server as HttpServer } from "node:http";
import { type AddressInfo, isIPv6 } from "node:net";
import { type UpstreamOptions, upstreamUrl } from "../net/upstream/upstream.ts";
import { withUpstream } from "../net/upstream/with-upstream.ts";
import { createHandler } from "../openai/handler.ts";
import type { Server } from "../worker/api.ts";
import { isDeviceError } from "../worker/device-error.ts";
import type { ModelOptions } from "../worker/load.ts";
import { imageFetch } from "./fetch-image.ts";
import { fetchWithoutTimeout } from "./fetch-without-timeout.ts";
import { createHttpServer, isLoopback } from "./http-server.ts";
import { loadModel } from "./load-model.ts";
import { modelId } from "./open-model.ts";
import { onSignals } from "./signals.ts";
import { openTerminal } from "./terminal.ts";

export interface ServeCommandOptions extends ModelOptions {
  readonly model?: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly apiKey?: string | undefined;
  readonly corsOrigin: readonly string[];
  readonly maxBodyBytes: number;
  readonly allowPrivateImages: boolean;
  /** Running answers are cut off so long after the first signal. */
  readonly drainSeconds: number;
  /** Answers what asks for other models, and everything if the model does not fit this machine. */
  readonly upstream?: UpstreamOptions | undefined;
}

/** While the server ends, connections without a request are looked for this often. */
const IDLE_CHECK_MS = 50;

/**
 * `webvlm serve`: listens at once, answers 503 until the model is loaded, and ends on a signal when
 * the answers under way are written.
 *
 * @returns the exit code
 * @throws Error when the port is taken, the model can't be loaded, or the upstream is none
 */
export async function serve(options: ServeCommandOptions): Promise<number> {
  const { host, model, apiKey, allowPrivateImages, drainSeconds, upstream } = options;
  const terminal = openTerminal();
  const loading = createHandler({ model: () => undefined });
  if (upstream) checkOther(upstream, options);
  let handler = upstream ? beside({ id: modelId(model), fetch: loading }, upstream) : loading;
  const http = createHttpServer((request) => handler(request), {
    ...{ host, apiKey, corsOrigins: options.corsOrigin, maxBodyBytes: options.maxBodyBytes },
  });
  const url = await listen(http, options);

  const stop = new AbortController();
  const stopped = new Promise<void>((resolve) =>
    stop.signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  onSignals((signal) => stop.abort(new Error(`stopped by ${signal}`)));

  terminal.note(`loading ${model ?? "the bundled sample model"}; listening at ${url}`);
  const fetchImage = imageFetch({ all: allowPrivateImages, loopback: isLoopback(host) });
  let loaded: Server | undefined;
  try {
    loaded = await loadModel({ ...options, fetchImage }, terminal, stop.signal);
  } catch (error) {
    if (stop.signal.aborted || !upstream || !isDeviceError(error)) {
      http.close();
      http.closeAllConnections();
      if (stop.signal.aborted) return 0;
      throw error;
    }
    terminal.note(`${(error as Error).message} The upstream answers instead.`);
  }
  if (upstream) handler = beside(loaded, upstream);
  else if (loaded) handler = loaded.fetch;
  const who = [loaded && `as "${loaded.id}"`, upstream && `through ${upstreamUrl(upstream.url)}`];
  console.log(`ready: ${url}/v1 answers ${who.filter(Boolean).join(" and ")}`);
  await stopped;
  terminal.note("ending: answers under way are finished first; interrupt again to end at once");
  await drain(http, drainSeconds * 1000);
  loaded?.dispose();
  return 0;
}

type Handler = (request: Request) => Promise<Response>;

/** What a model does not answer, or all where there is none, the upstream does. */
function beside(
  local: { readonly id: string; readonly fetch: Handler } | undefined,
  upstream: UpstreamOptions,
): Handler {
  return withUpstream(local, upstream, { fetch: fetchWithoutTimeout });
}

/** @throws Error for an upstream that is this server: requests would go round for ever */
function checkOther({ url }: UpstreamOptions, { host, port }: ServeCommandOptions): void {
  const { protocol, hostname, port: named } = new URL(upstreamUrl(url));
  if (Number(named || (protocol === "http:" ? 80 : 443)) !== port) return;
  const literal = hostname.replace(/^\[|\]$/g, "");
  const everywhere = host === "0.0.0.0" || host === "::";
  if (literal !== host && !(isLoopback(literal) && (everywhere || isLoopback(host)))) return;
  throw new Error(
    `The upstream ${url} is this server itself; choose another --port for one of them.`,
  );
}

/** @returns the URL that it listens at */
function listen(http: HttpServer, { host, port }: ServeCommandOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    http.once("error", (error: NodeJS.ErrnoException) => {
      reject(new Error(listenError(error, host, port), { cause: error }));
    });
    http.listen(port, host, () => {
      const { port: actual } = http.address() as AddressInfo;
      resolve(`http://${isIPv6(host) ? `[${host}]` : host}:${actual}`);
    });
  });
}

function listenError({ code, message }: NodeJS.ErrnoException, host: string, port: number): string {
  if (code === "EADDRINUSE") {
    return `Port ${port} of ${host} is taken; choose another with --port, or 0 for any free one.`;
  }
  if (code === "EACCES")
    return `Port ${port} needs more rights; choose one above 1023 with --port.`;
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return `${host} is no address of this machine; 0.0.0.0 listens on all of them.`;
  }
  return `The server can't listen on ${host}:${port}: ${message}`;
}

/** Accepts nothing new, and resolves when what runs has ended, or is cut off after `timeoutMs`. */
async function drain(http: HttpServer, timeoutMs: number): Promise<void> {
  const idle = setInterval(() => http.closeIdleConnections(), IDLE_CHECK_MS);
  const late = setTimeout(() => http.closeAllConnections(), timeoutMs);
  await new Promise<void>((resolve) => http.close(() => resolve()));
  clearInterval(idle);
  clearTimeout(late);
}
