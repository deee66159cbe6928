import type { Agent } from "undici";

let connections: Agent | undefined;

/**
 * A `fetch` without time limits. Node's own gives up when a response starts after more than five
 * minutes, or pauses for that long. This one follows no redirects.
 *
 * @throws TypeError when the server can't be reached (its `cause` says why); the signal's reason
 */
export const fetchWithoutTimeout: typeof fetch = async (input, init) => {
  const undici = await import("undici");
  // Connections are not reused: the server could close an idle one just as it is reused.
  connections ??= new undici.Agent({ headersTimeout: 0, bodyTimeout: 0, pipelining: 0 });
  const { url, method, headers, body, signal } = new Request(input, init);
  headers.set("accept-encoding", "identity");
  const response = await undici.fetch(url, {
    ...{ method, headers: [...headers], signal, redirect: "manual", dispatcher: connections },
    body: body && new Uint8Array(await new Response(body).arrayBuffer()),
  });
  return response as unknown as Response; // The same class, with undici's own types.
};
