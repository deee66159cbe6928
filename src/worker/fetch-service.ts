import * as comlink from "comlink";
import type { FetchService } from "./protocol.ts";
import { sendStream } from "./stream.ts";

/** @param answer gets requests whose signals abort when the caller ends their calls */
export function fetchService(
  answer: (request: Request) => Promise<Response>,
): FetchService & { endAll(): void } {
  const calls = new Map<number, AbortController>();
  return {
    async fetch(call, { method, url, headers, body }) {
      const controller = new AbortController();
      calls.set(call, controller);
      const init = { method, headers: headers as [string, string][], body };
      const response = await answer(new Request(url, { ...init, signal: controller.signal }));
      const sent = response.body && sendStream(response.body);
      const message = { status: response.status, headers: [...response.headers], body: sent };
      return sent ? comlink.transfer(message, [sent]) : message;
    },

    end(call) {
      calls.get(call)?.abort();
      calls.delete(call);
    },

    endAll() {
      for (const controller of calls.values()) controller.abort();
      calls.clear();
    },
  };
}
