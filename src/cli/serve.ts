import type { Server as HttpServer } from "node:http";
import { type AddressInfo, isIPv6 } from "node:net";
import { createHandler } from "../openai/handler.ts";
import type { Server } from "../worker/api.ts";
import type { ModelOptions } from "../worker/load.ts";
import { imageFetch } from "./fetch-image.ts";
import { createHttpServer, isLoopback } from "./http-server.ts";
import { loadModel } from "./load-model.ts";
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
}

/** While the server ends, connections without a request are looked for this often. */
const IDLE_CHECK_MS = 50;

/**
 * `webvlm serve`: listens at once, answers 503 until the model is loaded, and ends on a signal when
 * the answers under way are written.
 *
 * @returns the exit code
 * @throws Error when the port is taken, or the model can't be loaded
 */
export async function serve(options: ServeCommandOptions): Promise<number> {
  const { host, model, apiKey, allowPrivateImages, drainSeconds } = options;
  const terminal = openTerminal();
  const loading = createHandler({ model: () => undefined });
  let loaded: Server | undefined;
  const http = createHttpServer((request) => (loaded?.fetch ?? loading)(request), {
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
  try {
    loaded = await loadModel({ ...options, fetchImage }, terminal, stop.signal);
  } catch (error) {
    http.close();
    http.closeAllConnections();
    if (stop.signal.aborted) return 0;
    throw error;
  }
  console.log(`ready: ${url}/v1 answers as "${loaded.id}"`);
  await stopped;
  terminal.note("ending: answers under way are finished first; interrupt again to end at once");
  await drain(http, drainSeconds * 1000);
  loaded.dispose();
  return 0;
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
