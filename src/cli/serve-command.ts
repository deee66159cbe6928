import type { Server as HttpServer } from "node:http";
import { type AddressInfo, isIPv6 } from "node:net";
import { type UpstreamOptions, upstreamUrl } from "../net/upstream/address.ts";
import { withUpstream } from "../net/upstream/with-upstream.ts";
import { type FetchHandler, createHandler } from "../openai/handler.ts";
import { DeviceError } from "../platform/device-error.ts";
import type { LoadedModel } from "../runtime/loaded-model.ts";
import type { RuntimeOptions } from "../runtime/options.ts";
import { imageFetch } from "./fetch-image.ts";
import { fetchWithoutTimeout } from "./fetch-without-timeout.ts";
import { createHttpServer, isLoopback } from "./http-server.ts";
import { loadForCommand } from "./load-for-command.ts";
import { modelId } from "./open-model.ts";
import { onSignals } from "./signals.ts";
import { openTerminal } from "./terminal.ts";

export interface ServeCommandOptions extends RuntimeOptions {
  readonly model?: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly apiKey?: string | undefined;
  readonly corsOrigin: readonly string[];
  readonly maxBodyBytes: number;
  readonly allowPrivateImages: boolean;
  /** Seconds after the first signal at which running answers are cut off. */
  readonly drainSeconds: number;
  /** Answers for other models, and for everything if this machine can't run the model. */
  readonly upstream?: UpstreamOptions | undefined;
}

/** How often idle connections are closed while the server ends, in ms. */
const IDLE_CHECK_MS = 50;

/**
 * `webvlm serve`: listens at once, and answers 503 until the model is loaded. A signal ends it once
 * the running answers are written.
 *
 * @returns the exit code
 * @throws Error when the port is taken, the model can't be loaded, or the upstream is invalid
 */
export async function serveCommand(options: ServeCommandOptions): Promise<number> {
  const { host, model, apiKey, allowPrivateImages, drainSeconds, upstream } = options;
  const terminal = openTerminal();
  const loading = createHandler({ model: () => undefined });
  if (upstream) checkNotSelf(upstream, options);
  let handler = upstream
    ? withPatientUpstream({ id: modelId(model), fetch: loading }, upstream)
    : loading;
  const http = createHttpServer((request) => handler(request), {
    ...{ host, apiKey, corsOrigins: options.corsOrigin, maxBodyBytes: options.maxBodyBytes },
  });
  const url = await listen(http, options);

  const stop = new AbortController();
  const stopped = new Promise<void>((resolve) =>
    stop.signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  onSignals((signal) => stop.abort(new Error(`stopped by ${signal}`)));

  terminal.note(`loading ${model ?? "the sample model"}; listening at ${url}`);
  const fetchImage = imageFetch({ all: allowPrivateImages, loopback: isLoopback(host) });
  let loaded: LoadedModel | undefined;
  try {
    loaded = await loadForCommand({ ...options, fetchImage }, terminal, stop.signal);
  } catch (error) {
    if (stop.signal.aborted || !upstream || !(error instanceof DeviceError)) {
      http.close();
      http.closeAllConnections();
      if (stop.signal.aborted) return 0;
      throw error;
    }
    terminal.note(`${error.message} The upstream answers instead.`);
  }
  if (upstream) handler = withPatientUpstream(loaded, upstream);
  else if (loaded) handler = loaded.fetch;
  const who = [loaded && `as "${loaded.id}"`, upstream && `through ${upstreamUrl(upstream.url)}`];
  console.log(`ready: ${url}/v1 answers ${who.filter(Boolean).join(" and ")}`);
  await stopped;
  terminal.note("ending after the running answers; interrupt again to end at once");
  await drain(http, drainSeconds * 1000);
  loaded?.dispose();
  return 0;
}

/** `withUpstream` without the time limits of Node's own `fetch`. */
function withPatientUpstream(
  local: Pick<LoadedModel, "id" | "fetch"> | undefined,
  upstream: UpstreamOptions,
): FetchHandler {
  return withUpstream(local, upstream, { fetch: fetchWithoutTimeout });
}

/** @throws Error for an upstream that is this server, which would pass requests to itself for ever */
function checkNotSelf({ url }: UpstreamOptions, { host, port }: ServeCommandOptions): void {
  const { protocol, hostname, port: named } = new URL(upstreamUrl(url));
  if (Number(named || (protocol === "http:" ? 80 : 443)) !== port) return;
  const literal = hostname.replace(/^\[|\]$/g, "");
  const everywhere = host === "0.0.0.0" || host === "::";
  if (literal !== host && !(isLoopback(literal) && (everywhere || isLoopback(host)))) return;
  throw new Error(
    `The upstream ${url} is this server itself; choose another --port for one of the two.`,
  );
}

/** @returns the URL of the server, once it listens */
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
    return `Port ${port} of ${host} is taken; choose another with --port, or 0 for any free port.`;
  }
  if (code === "EACCES")
    return `Port ${port} needs more rights; choose one above 1023 with --port.`;
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return `${host} is not an address of this machine; 0.0.0.0 listens on all of its addresses.`;
  }
  return `The server can't listen on ${host}:${port}: ${message}`;
}

/** Stops accepting requests. Resolves when the running ones have ended; cuts them off after `timeoutMs`. */
async function drain(http: HttpServer, timeoutMs: number): Promise<void> {
  const idle = setInterval(() => http.closeIdleConnections(), IDLE_CHECK_MS);
  const late = setTimeout(() => http.closeAllConnections(), timeoutMs);
  await new Promise<void>((resolve) => http.close(() => resolve()));
  clearInterval(idle);
  clearTimeout(late);
}
