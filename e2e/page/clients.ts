/** Clients of the API. The sample model answers them. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { type ChatOpenAIFields, ChatOpenAI } from "@langchain/openai";
import * as z from "zod";
import { loadSample } from "./main.ts";

export { HumanMessage } from "@langchain/core/messages";
export { generateObject, generateText, streamText } from "ai";
export { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";

/** The sample model's answers in JSON. */
export const Shape = z.object({
  shape: z.string(),
  color: z.string(),
  size: z.enum(["small", "large"]),
});

/** Arguments of a function call. The sample model was not trained for calls, so the grammar chooses. */
export const DrawnShape = z.object({
  shape: z.enum(["star", "circle", "heart"]),
  color: z.enum(["blue", "red", "green"]),
  size: z.enum(["small", "large"]),
});

const BASE_URL = "https://webvlm.local/v1";

/** The sample model's `fetch`, which asks for progress in every stream: clients must pass it over. */
async function fetchWithProgress(): Promise<typeof fetch> {
  const vlm = await loadSample();
  return (input, init) => {
    const body = JSON.parse(init?.body as string) as { stream?: boolean; stream_options?: object };
    if (body.stream) body.stream_options = { ...body.stream_options, include_progress: true };
    return vlm.fetch(input, { ...init, body: JSON.stringify(body) });
  };
}

/** Vercel's AI SDK. */
export async function aiSdkModel() {
  const fetch = await fetchWithProgress();
  const provider = createOpenAICompatible({
    name: "webvlm",
    baseURL: BASE_URL,
    includeUsage: true,
    supportsStructuredOutputs: true,
    fetch,
  });
  return provider("default");
}

/** LangChain.js. */
export async function langChainModel(fields: ChatOpenAIFields = {}): Promise<ChatOpenAI> {
  const fetch = await fetchWithProgress();
  const configuration = { baseURL: BASE_URL, dangerouslyAllowBrowser: true, fetch };
  return new ChatOpenAI({
    model: "default",
    apiKey: "none",
    maxRetries: 0,
    temperature: 0,
    ...fields,
    configuration,
  });
}

/** An image of the goldens as a data URL. */
export async function image(name: string): Promise<string> {
  const bytes = await imageBytes(name);
  return `data:image/png;base64,${btoa(String.fromCharCode(...bytes))}`;
}

export async function imageBytes(name: string): Promise<Uint8Array> {
  const response = await fetch(`/e2e/goldens/sample/${name}`);
  return new Uint8Array(await response.arrayBuffer());
}
