/** What RFC 9110 leaves to a single connection; `Connection` may name more. */
const HOP_BY_HOP = [
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"],
  ...["upgrade", "proxy-authenticate", "proxy-authorization"],
];

/** What a client tells this server alone, credentials above all, and what `fetch` tells itself. */
const NOT_SENT = [
  ...["authorization", "cookie", "api-key", "x-api-key", "origin", "referer"],
  ...["host", "content-length", "accept-encoding", "expect"],
];

/** What no longer holds of a body that `fetch` has decoded, or holds of the upstream's host alone. */
const NOT_RETURNED = ["content-encoding", "content-length", "set-cookie", "alt-svc"];

/** A request's headers, as the upstream gets them. */
export function sentHeaders(given: Headers, authorization: string | undefined): Headers {
  const headers = without(given, NOT_SENT, /^(sec|access-control)-/);
  if (authorization) headers.set("authorization", authorization);
  return headers;
}

/** An answer's headers, as the client gets them: CORS is between it and this server. */
export function returnedHeaders(given: Headers): Headers {
  return without(given, NOT_RETURNED, /^access-control-/);
}

function without(given: Headers, names: readonly string[], pattern: RegExp): Headers {
  const headers = new Headers(given);
  const named = given.get("connection")?.match(/[\w-]+/g) ?? [];
  const matching = [...headers.keys()].filter((name) => pattern.test(name));
  for (const name of [...HOP_BY_HOP, ...names, ...named, ...matching]) headers.delete(name);
  return headers;
}
