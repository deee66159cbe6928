import * as comlink from "comlink";
import type { FetchHost } from "./api.ts";
import { sendStream } from "./stream.ts";

/** @param answer given requests whose signals abort when the near side is done with them */
export function fetchHost(
  answer: (request: Request) => Promise<Response>,
): FetchHost & { endAll(): void } {
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
