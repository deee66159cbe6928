import * as comlink from "comlink";
import type { Host, Serve, Server } from "./api.ts";
import { sendStream } from "./stream.ts";

/**
 * Offers a model to the page at the other end of `endpoint`.
 *
 * @param serve what loads it
 * @param endpoint the worker's own scope unless given
 */
export function serveHost(serve: Serve, endpoint?: comlink.Endpoint): void {
  const life = new AbortController();
  const calls = new Map<number, AbortController>();
  let server: Server | undefined;

  const loaded = (): Server => {
    if (!server) throw new Error("worker: no model is loaded");
    return server;
  };

  const host: Host = {
    async load(source, options, onProgress) {
      if (server) throw new Error(`worker: ${server.id} is loaded already`);
      server = await serve(source, options, onProgress, life.signal);
      return server.id;
    },

    async fetch(call, { method, url, headers, body }) {
      const controller = new AbortController();
      calls.set(call, controller);
      const init = { method, headers: headers as [string, string][], body };
      const response = await loaded().fetch(
        new Request(url, { ...init, signal: controller.signal }),
      );
      const sent = response.body && sendStream(response.body);
      const message = { status: response.status, headers: [...response.headers], body: sent };
      return sent ? comlink.transfer(message, [sent]) : message;
    },

    end(call) {
      calls.get(call)?.abort();
      calls.delete(call);
    },

    stats: () => loaded().stats(),

    dispose() {
      life.abort();
      server?.dispose();
    },
  };
  comlink.expose(host, endpoint);
}
