import type { Page } from "playwright";
import { beforeAll, describe, expect, test } from "vitest";
import { openSample } from "./browser.ts";

let page: Page;
beforeAll(async () => {
  page = await openSample();
});

/** The answer about an image, and the answer by the schema about another image. */
const ANSWER = "A red circle and a small blue star.";
const RED_CIRCLE = { shape: "circle", color: "red", size: "large" };

describe("the openai package", () => {
  test("parses an answer with a zod schema", async () => {
    const result = await page.evaluate(async () => {
      const { client, otherClients } = window.tools;
      const { Shape, image, zodResponseFormat } = await otherClients();
      const openai = await client("vlm.fetch");
      const { choices } = await openai.chat.completions.parse({
        model: "default",
        temperature: 0,
        max_completion_tokens: 100,
        response_format: zodResponseFormat(Shape, "shape"),
        messages: [
          {
            role: "user",
            content: [
              { type: "image_url", image_url: { url: await image("red-circle.png") } },
              { type: "text", text: "Describe the image in JSON." },
            ],
          },
        ],
      });
      return { parsed: choices[0]?.message.parsed, finish: choices[0]?.finish_reason };
    });
    expect(result).toEqual({
      parsed: RED_CIRCLE,
      finish: "stop",
    });
  });

  test("runs tools", async () => {
    const result = await page.evaluate(async () => {
      const { client, otherClients } = window.tools;
      const { image } = await otherClients();
      const openai = await client("vlm.fetch");
      const called: unknown[] = [];
      const runner = openai.chat.completions.runTools({
        model: "default",
        temperature: 0,
        max_completion_tokens: 100,
        tool_choice: { type: "function", function: { name: "paint" } },
        tools: [
          {
            type: "function",
            function: {
              name: "paint",
              description: "Paints a shape.",
              parameters: {
                type: "object",
                properties: { color: { type: "string", enum: ["green", "red", "blue"] } },
                required: ["color"],
                additionalProperties: false,
              },
              parse: JSON.parse as (json: string) => object,
              function: (args: object) => {
                called.push(args);
                return "painted";
              },
            },
          },
        ],
        messages: [
          {
            role: "user",
            content: [
              { type: "image_url", image_url: { url: await image("red-circle.png") } },
              { type: "text", text: "What color is the circle?" },
            ],
          },
        ],
      });
      await runner.done();
      const messages = runner.messages.map(({ role }) => role);
      return { called, messages, result: await runner.finalFunctionToolCallResult() };
    });
    expect(result).toEqual({
      called: [{ color: expect.stringMatching(/^(green|red|blue)$/) as string }],
      messages: ["user", "assistant", "tool"],
      result: "painted",
    });
  });

  test("creates and streams responses, and continues one", async () => {
    const result = await page.evaluate(async () => {
      const { client, otherClients } = window.tools;
      const { image } = await otherClients();
      const openai = await client("vlm.fetch");
      const request = {
        model: "default",
        temperature: 0,
        input: [
          {
            role: "user" as const,
            content: [
              {
                type: "input_image" as const,
                image_url: await image("circle-and-star.png"),
                detail: "auto" as const,
              },
              { type: "input_text" as const, text: "What is in this image?" },
            ],
          },
        ],
      };
      const created = await openai.responses.create(request);
      const stream = openai.responses.stream(request);
      let text = "";
      stream.on("response.output_text.delta", ({ delta }) => (text += delta));
      const final = await stream.finalResponse();
      const next = await openai.responses.create({
        model: "default",
        temperature: 0,
        previous_response_id: created.id,
        input: "What color is the star?",
      });
      return {
        texts: [created.output_text, text, final.output_text].map((text) => text.trim()),
        statuses: [created.status, final.status],
        next: next.output_text.trim(),
      };
    });
    expect(result).toEqual({
      texts: [ANSWER, ANSWER, ANSWER],
      statuses: ["completed", "completed"],
      next: "The star is blue.",
    });
  });

  test("parses a response with a zod schema", async () => {
    const parsed = await page.evaluate(async () => {
      const { client, otherClients } = window.tools;
      const { Shape, image, zodTextFormat } = await otherClients();
      const openai = await client("vlm.fetch");
      const { output_parsed } = await openai.responses.parse({
        model: "default",
        temperature: 0,
        text: { format: zodTextFormat(Shape, "shape") },
        input: [
          {
            role: "user",
            content: [
              {
                type: "input_image",
                image_url: await image("red-circle.png"),
                detail: "auto",
              },
              { type: "input_text", text: "Describe the image in JSON." },
            ],
          },
        ],
      });
      return output_parsed;
    });
    expect(parsed).toEqual(RED_CIRCLE);
  });
});

describe("Vercel's AI SDK", () => {
  test("generates and streams text about an image", async () => {
    const result = await page.evaluate(async () => {
      const { aiSdkModel, generateText, imageBytes, streamText } =
        await window.tools.otherClients();
      const request = {
        model: await aiSdkModel(),
        temperature: 0,
        messages: [
          {
            role: "user" as const,
            content: [
              { type: "image" as const, image: await imageBytes("circle-and-star.png") },
              { type: "text" as const, text: "What is in this image?" },
            ],
          },
        ],
      };
      const whole = await generateText(request);
      const stream = streamText(request);
      let text = "";
      let pieces = 0;
      for await (const piece of stream.textStream) {
        text += piece;
        pieces++;
      }
      return {
        texts: [whole.text.trim(), text.trim()],
        pieces,
        finishes: [whole.finishReason, await stream.finishReason],
        usages: [whole.usage, await stream.usage].map(({ inputTokens, outputTokens }) => [
          inputTokens,
          outputTokens,
        ]),
      };
    });
    expect(result.texts).toEqual([ANSWER, ANSWER]);
    expect(result.pieces).toBeGreaterThan(3);
    expect(result.finishes).toEqual(["stop", "stop"]);
    expect(result.usages[0]).toEqual([expect.any(Number), expect.any(Number)]);
    expect(result.usages[1]).toEqual(result.usages[0]);
  });

  test("generates an object about an image", async () => {
    const object = await page.evaluate(async () => {
      const { Shape, aiSdkModel, generateObject, imageBytes } = await window.tools.otherClients();
      const { object } = await generateObject({
        model: await aiSdkModel(),
        temperature: 0,
        schema: Shape,
        messages: [
          {
            role: "user",
            content: [
              { type: "image", image: await imageBytes("red-circle.png") },
              { type: "text", text: "Describe the image in JSON." },
            ],
          },
        ],
      });
      return object;
    });
    expect(object).toEqual(RED_CIRCLE);
  });
});

describe("LangChain.js", () => {
  test("invokes and streams with an image's image_url", async () => {
    const result = await page.evaluate(async () => {
      const { HumanMessage, langChainModel, image } = await window.tools.otherClients();
      const model = await langChainModel();
      const question = new HumanMessage({
        content: [
          { type: "image_url", image_url: { url: await image("circle-and-star.png") } },
          { type: "text", text: "What is in this image?" },
        ],
      });
      const whole = await model.invoke([question]);
      let text = "";
      let pieces = 0;
      for await (const chunk of await model.stream([question])) {
        text += chunk.text;
        pieces++;
      }
      return {
        texts: [whole.text.trim(), text.trim()],
        pieces,
        finish: whole.response_metadata.finish_reason as string,
        tokens: whole.usage_metadata?.output_tokens,
      };
    });
    expect(result.texts).toEqual([ANSWER, ANSWER]);
    expect(result.pieces).toBeGreaterThan(3);
    expect(result.finish).toBe("stop");
    expect(result.tokens).toBeGreaterThan(3);
  });

  test("gives structured output by JSON schema", async () => {
    const object = await page.evaluate(async () => {
      const { HumanMessage, Shape, langChainModel, image } = await window.tools.otherClients();
      const model = (await langChainModel()).withStructuredOutput(Shape, {
        name: "shape",
        method: "jsonSchema",
      });
      return model.invoke([
        new HumanMessage({
          content: [
            { type: "image_url", image_url: { url: await image("red-circle.png") } },
            { type: "text", text: "Describe the image in JSON." },
          ],
        }),
      ]);
    });
    expect(object).toEqual(RED_CIRCLE);
  });

  test("gives structured output by function calling", async () => {
    const object = await page.evaluate(async () => {
      const { HumanMessage, DrawnShape, langChainModel } = await window.tools.otherClients();
      const model = (await langChainModel()).withStructuredOutput(DrawnShape, {
        name: "shape",
        method: "functionCalling",
      });
      return model.invoke([new HumanMessage("Call the function.")]);
    });
    expect(object).toEqual({
      shape: expect.stringMatching(/^(star|circle|heart)$/) as string,
      color: expect.stringMatching(/^(blue|red|green)$/) as string,
      size: expect.stringMatching(/^(small|large)$/) as string,
    });
  });
});
