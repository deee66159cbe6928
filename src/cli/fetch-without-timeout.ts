import type { Agent } from "undici";

let connections: Agent | undefined;

/**
 * A `fetch` that waits for as long as its caller does: Node's own gives up when an answer begins
 * later than after five minutes, or pauses for as long. It follows no redirects.
 *
 * @throws TypeError when the server can't be reached, whose `cause` says why; the signal's reason
 */
export const fetchWithoutTimeout: typeof fetch = async (input, init) => {
  const undici = await import("undici");
  // No connection is kept: one that was may be closed by the server just now.
  connections ??= new undici.Agent({ headersTimeout: 0, bodyTimeout: 0, pipelining: 0 });
  const { url, method, headers, body, signal } = new Request(input, init);
  headers.set("accept-encoding", "identity");
  const response = await undici.fetch(url, {
    ...{ method, headers: [...headers], signal, redirect: "manual", dispatcher: connections },
    body: body && new Uint8Array(await new Response(body).arrayBuffer()),
  });
  return response as unknown as Response; // The same, in types of its own.
};
