import { expect, test } from "vitest";
import { errorOf, requestBody, userMessage } from "./request.ts";
import { DEFAULTS } from "./settings.ts";

const image = { name: "a.png", url: "data:image/png;base64,AA==" };

test("text alone is a string, anything else a list of parts in order", () => {
  expect(userMessage([{ type: "text", text: "Hello!" }]).content).toBe("Hello!");
  expect(
    userMessage([
      { type: "text", text: "Image 1:" },
      { type: "image", image },
      { type: "text", text: "What is it?" },
    ]).content,
  ).toEqual([
    { type: "text", text: "Image 1:" },
    { type: "image_url", image_url: { url: image.url } },
    { type: "text", text: "What is it?" },
  ]);
});

test("a system prompt comes first; an empty one is left out", () => {
  const hello = userMessage([{ type: "text", text: "Hello!" }]);
  expect(requestBody("m", [hello], DEFAULTS)).toEqual({
    model: "m",
    messages: [hello],
    max_tokens: DEFAULTS.maxTokens,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true, include_progress: true },
  });
  const { messages } = requestBody("m", [hello], { ...DEFAULTS, systemPrompt: " Be brief.\n" });
  expect(messages).toEqual([{ role: "system", content: "Be brief." }, hello]);
});

test("a failure has the server's message, else the HTTP status", async () => {
  const body = { error: { message: "messages: required", type: "x", param: null, code: null } };
  expect((await errorOf(Response.json(body, { status: 400 }))).message).toBe("messages: required");
  const page = new Response("<html>", { status: 502, statusText: "Bad Gateway" });
  expect((await errorOf(page)).message).toBe("The request failed: HTTP 502 Bad Gateway");
});
