/** The header with the unique id of a request, for logs of client and server. */
const REQUEST_ID = "x-request-id";

/** Ids that are safe to write to a log. */
const USABLE = /^[\x21-\x7e]{1,128}$/;

/** @returns the id of the request, or a new one if it is missing or unsafe */
function requestId(request?: Request): string {
  const given = request?.headers.get(REQUEST_ID);
  return given && USABLE.test(given) ? given : `req_${randomHex()}`;
}

/** 128 random bits. `crypto.randomUUID` is missing in insecure contexts. */
function randomHex(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Sets the id of a request on its response, unless the response has one.
 *
 * @param response a response with mutable headers
 */
export function withRequestId(response: Response, request?: Request): Response {
  if (!response.headers.has(REQUEST_ID)) response.headers.set(REQUEST_ID, requestId(request));
  return response;
}
