/** Headers of a single connection (RFC 9110, 7.6.1). `Connection` may name more. */
const HOP_BY_HOP = [
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"],
  ...["upgrade", "proxy-authenticate", "proxy-authorization"],
];

/** Headers meant for this server alone, such as credentials, and headers that `fetch` sets itself. */
const NOT_SENT = [
  ...["authorization", "cookie", "api-key", "x-api-key", "origin", "referer"],
  ...["host", "content-length", "accept-encoding", "expect"],
];

/** Headers that are wrong once `fetch` has decoded the body, or that belong to the upstream's host. */
const NOT_RETURNED = ["content-encoding", "content-length", "set-cookie", "alt-svc"];

/** @returns a request's headers, as they are sent to the upstream */
export function sentHeaders(given: Headers, authorization: string | undefined): Headers {
  const headers = without(given, NOT_SENT, /^(sec|access-control)-/);
  if (authorization) headers.set("authorization", authorization);
  return headers;
}

/** @returns an answer's headers, as the client gets them. This server adds its own CORS headers. */
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
