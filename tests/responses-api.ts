import type { ErrorBody } from "../src/openai/wire.ts";

/** Requests to a handler's `responses`, as a page would make them. */
export function responsesApi(handle: (request: Request) => Promise<Response>) {
  const request = (path: string, init?: RequestInit): Request =>
    new Request(`http://page.test/v1/${path}`, init);
  const post = (body: unknown, init: RequestInit = {}): Promise<Response> =>
    handle(request("responses", { method: "POST", body: JSON.stringify(body), ...init }));
  return { request, post };
}

/** The status of a failure, and its error. */
export async function errorOf(
  response: Response,
): Promise<{ status: number } & ErrorBody["error"]> {
  return { status: response.status, ...((await response.json()) as ErrorBody).error };
}
