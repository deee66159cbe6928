import { isFolder } from "./local.ts";

/** Code for the reader that does what this page does. */
export function fetchSnippet(source: string): string {
  return `import { load } from "webvlm";

const vlm = await load(${argument(source)});
vlm.intercept(); // Now this page answers fetch("/v1/…").

const response = await fetch("/v1/chat/completions", {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({
    model: vlm.id,
    messages: [{ role: "user", content: [
      { type: "image_url", image_url: { url: "./image.png" } },
      { type: "text", text: "What is in this image?" },
    ] }],
  }),
});
console.log((await response.json()).choices[0].message.content);`;
}

export function openaiSnippet(source: string): string {
  return `import OpenAI from "openai";
import { load } from "webvlm";

const vlm = await load(${argument(source)});
const openai = new OpenAI({
  baseURL: "https://webvlm.local/v1", // Never requested: vlm.fetch answers.
  apiKey: "none",
  fetch: vlm.fetch,
  dangerouslyAllowBrowser: true,
});

const stream = await openai.chat.completions.create({
  model: vlm.id,
  stream: true,
  messages: [{ role: "user", content: [
    { type: "image_url", image_url: { url: "./image.png" } },
    { type: "text", text: "What is in this image?" },
  ] }],
});
for await (const chunk of stream) console.log(chunk.choices[0]?.delta.content);`;
}

function argument(source: string): string {
  return isFolder(source) ? "await showDirectoryPicker()" : JSON.stringify(source);
}
