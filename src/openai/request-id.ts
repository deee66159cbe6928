/** By which a client and a server tell one request from all others. */
const REQUEST_ID = "x-request-id";

/** What can stand in a log as it is. */
const USABLE = /^[\x21-\x7e]{1,128}$/;

/** @returns the id that the request came with, or a new one if that is missing or unusable */
function requestId(request?: Request): string {
  const given = request?.headers.get(REQUEST_ID);
  return given && USABLE.test(given) ? given : `req_${randomHex()}`;
}

/** 128 bits. A page that is not secure has no `randomUUID`. */
function randomHex(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Gives a response the request's id, unless it has one. Its headers must not be immutable. */
export function withRequestId(response: Response, request?: Request): Response {
  if (!response.headers.has(REQUEST_ID)) response.headers.set(REQUEST_ID, requestId(request));
  return response;
}
