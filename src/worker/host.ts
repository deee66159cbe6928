import * as comlink from "comlink";
import type { Host, Serve, Server } from "./api.ts";
import { fetchHost } from "./fetch-host.ts";

/**
 * Offers a model to the page at the other end of `endpoint`.
 *
 * @param serve what loads it
 * @param endpoint the worker's own scope unless given
 */
export function serveHost(serve: Serve, endpoint?: comlink.Endpoint): void {
  const life = new AbortController();
  let server: Server | undefined;

  const loaded = (): Server => {
    if (!server) throw new Error("worker: no model is loaded");
    return server;
  };

  const calls = fetchHost((request) => loaded().fetch(request));

  const host: Host = {
    async load(source, options, onProgress) {
      if (server) throw new Error(`worker: ${server.id} is loaded already`);
      server = await serve(source, options, onProgress, life.signal);
      return server.id;
    },

    fetch: calls.fetch,
    end: calls.end,

    stats: () => loaded().stats(),

    dispose() {
      life.abort();
      server?.dispose();
    },
  };
  comlink.expose(host, endpoint);
}
