import OpenAI from "openai";
import {
  type ChatCompletionChunk,
  DeviceError,
  type Vlm,
  intercept,
  load,
  storedModels,
} from "../../src/index.ts";

export { DeviceError, OpenAI, intercept, load, storedModels };

export type Through = "vlm.fetch" | "vlm.intercept()";

let sample: Promise<Vlm> | undefined;
let intercepted: Promise<Vlm> | undefined;
const clients = new Map<Through, Promise<OpenAI>>();

/** The bundled sample model, loaded once a page. */
export function loadSample(): Promise<Vlm> {
  return (sample ??= load("/models/sample"));
}

/** The same, answering the page's own `fetch`. */
export function interceptSample(): Promise<Vlm> {
  return (intercepted ??= loadSample().then((vlm) => {
    vlm.intercept();
    return vlm;
  }));
}

/** An OpenAI client that the sample model answers. */
export function client(through: Through): Promise<OpenAI> {
  let made = clients.get(through);
  if (!made) clients.set(through, (made = makeClient(through)));
  return made;
}

async function makeClient(through: Through): Promise<OpenAI> {
  const options = { apiKey: "none", dangerouslyAllowBrowser: true, maxRetries: 0 };
  if (through === "vlm.fetch") {
    const { fetch } = await loadSample();
    return new OpenAI({ ...options, baseURL: "https://webvlm.local/v1", fetch });
  }
  await interceptSample();
  return new OpenAI({ ...options, baseURL: `${location.origin}/v1` });
}

/** Other clients, which are large: loaded by the tests of them alone. */
export const otherClients = () => import("./clients.ts");

/** The store below the library. */
export const storage = () => import("./storage.ts");

/** Resolves once no request runs or waits, to the number of steps so far. */
export async function stepsWhenIdle(): Promise<number> {
  const vlm = await loadSample();
  for (;;) {
    const { requests, steps } = await vlm.stats();
    if (requests === 0) return steps;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Posts to this page's own endpoint, `body` as it is or as JSON. */
export function post(body: unknown, path = "/v1/chat/completions"): Promise<Response> {
  return fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** @returns a JSON answer with what else decides how clients take it */
export async function answer(
  response: Response,
): Promise<{ status: number; retry: string | null; body: unknown }> {
  const { status, headers } = response;
  return { status, retry: headers.get("x-should-retry"), body: await response.json() };
}

/** @returns the chunks of a whole stream, without comments; throws Error for a stream without its end */
export async function chunks(response: Response): Promise<ChatCompletionChunk[]> {
  const text = await response.text();
  const events = text.split("\n\n").filter((event) => !event.startsWith(":"));
  const ends = events.pop() === "" && events.pop() === "data: [DONE]";
  if (!response.ok || !ends) throw new Error(`HTTP ${response.status}, streamed: ${text}`);
  return events.map((event) => JSON.parse(event.replace(/^data: /, "")) as ChatCompletionChunk);
}
