import OpenAI from "openai";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ScriptedGenerator, dataUrl, scriptedModel } from "../../tests/chat-support.ts";
import { differences } from "../../tests/openai-types.ts";
import { errorOf, responsesApi } from "../../tests/responses-api.ts";
import { type ServedModel, createHandler } from "./handler.ts";
import type { ItemList, ResponseObject } from "./responses-wire.ts";

const EOS = 1023;
const CIRCLE = dataUrl("e2e/goldens/sample/red-circle.png");

let generator: ScriptedGenerator;
let handle: (request: Request) => Promise<Response>;
let client: OpenAI;
const chat = scriptedModel({
  get contextLength() {
    return generator.contextLength;
  },
  generate: (input) => generator.generate(input),
});
const served: ServedModel = { id: "org/sample", created: 0, fingerprint: "fp_test", chat };
const idsOf = (text: string) => chat.tokenizer.encode(text, { addSpecialTokens: false });
const promptOf = (i: number) => chat.tokenizer.decode(generator.inputs[i]?.ids ?? []);

beforeEach(() => {
  generator = new ScriptedGenerator([...idsOf("A red circle."), EOS]);
  handle = createHandler({ model: () => served });
  client = new OpenAI({
    apiKey: "none",
    baseURL: "http://page.test/v1",
    maxRetries: 0,
    fetch: (url, init) => handle(new Request(url, init)),
  });
});

// Compiling the package's types is slow.
beforeAll(() => void differences({}, "Responses.ResponseItem"), 60_000);

const { request, post } = responsesApi((request) => handle(request));

const whole = async (body: unknown): Promise<ResponseObject> => {
  const response = await post(body);
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as ResponseObject;
};

const IMAGE = {
  role: "user",
  content: [
    { type: "input_text", text: "What is it?" },
    { type: "input_image", image_url: CIRCLE, detail: "auto" },
  ],
};

describe("continuing from a response", () => {
  test("puts its input and output before the new input, but not its instructions", async () => {
    const first = await whole({ input: [IMAGE], instructions: "Be brief." });
    const previous_response_id = first.id;
    const second = await whole({ input: "And its colour?", previous_response_id });
    expect(second.previous_response_id).toBe(first.id);
    await whole({
      input: [
        IMAGE,
        { role: "assistant", content: "A red circle." },
        { role: "user", content: "And its colour?" },
      ],
    });
    const [asked, chained, spelled] = generator.inputs;
    expect(promptOf(0)).toContain("Be brief.");
    expect(chained?.ids).toEqual(spelled?.ids);
    expect(chained?.images).toHaveLength(1);
    expect(chained?.ids.length).toBeGreaterThan(asked?.ids.length as number);

    const third = { input: "Sure?", previous_response_id: second.id, instructions: "Be kind." };
    await whole(third);
    expect(promptOf(3)).toMatch(
      /^System: Be kind\.(?!.*Be brief).*And its colour\?.*A red circle\..*Sure\?/s,
    );
  });

  test("works more than once", async () => {
    const { id: previous_response_id } = await whole({ input: "Hello" });
    await whole({ input: "One", previous_response_id });
    await whole({ input: "Two", previous_response_id });
    expect(promptOf(1)).toContain("One");
    expect(promptOf(2)).not.toContain("One");
  });

  test("works for a stream, once its last event was sent", async () => {
    const text = await (await post({ input: "Hello", stream: true })).text();
    const [id] = /resp_\w+/.exec(text) ?? [];
    await whole({ input: "And?", previous_response_id: id });
    expect(promptOf(1)).toMatch(/Hello.*A red circle\..*And\?/s);
  });

  test("needs a stored response", async () => {
    const unstored = await whole({ input: "Hello", store: false });
    for (const previous_response_id of ["resp_1", unstored.id]) {
      expect(await errorOf(await post({ input: "And?", previous_response_id }))).toEqual({
        status: 400,
        type: "invalid_request_error",
        message: `Previous response with id '${previous_response_id}' not found.`,
        param: "previous_response_id",
        code: "previous_response_not_found",
      });
    }
  });

  test("accepts references to items", async () => {
    const { id, output } = await whole({ input: [IMAGE] });
    const { data } = await itemsBefore(id);
    const input = [
      { type: "item_reference", id: data[0]?.id },
      { id: output[0]?.id },
      { role: "user", content: "And its colour?" },
    ];
    await whole({ input });
    await whole({ input: "And its colour?", previous_response_id: id });
    expect(generator.inputs[1]?.ids).toEqual(generator.inputs[2]?.ids);
    const twice = await errorOf(await post({ input, previous_response_id: id }));
    expect(twice).toMatchObject({ status: 400, code: "invalid_value", param: "input[0].id" });
  });

  test("has paths of the new input in errors", async () => {
    const { id: previous_response_id } = await whole({
      input: [IMAGE],
      instructions: "Be brief.",
    });
    const wrong = { type: "input_image", image_url: "data:image/png;base64,@" };
    const content = [{ type: "input_text", text: "And this?" }, wrong];
    const input = [
      { role: "assistant", content: "Hm." },
      { role: "user", content },
    ];
    for (const more of [{}, { previous_response_id }, { instructions: "Be kind." }]) {
      expect(await errorOf(await post({ input, ...more }))).toMatchObject({
        status: 400,
        code: "invalid_base64_image",
        param: "input[1].content[1].image_url",
      });
    }
    const long = await errorOf(await post({ input: "red circle ".repeat(2000) }));
    expect(long).toMatchObject({ code: "context_length_exceeded", param: "input" });
  });

  async function itemsBefore(id: string, query = ""): Promise<ItemList> {
    const response = await handle(request(`responses/${id}/input_items${query}`));
    expect(response.status).toBe(200);
    return (await response.json()) as ItemList;
  }

  test("lists the conversation before it, in pages", async () => {
    const { id: first } = await whole({ input: [IMAGE] });
    const { id } = await whole({ input: "Hello", previous_response_id: first });
    const all = await itemsBefore(id, "?order=asc");
    expect(all).toMatchObject({
      object: "list",
      data: [
        { type: "message", role: "user", content: [{ type: "input_text" }, { image_url: CIRCLE }] },
        { type: "message", role: "assistant", content: [{ text: "A red circle." }] },
        { type: "message", role: "user", content: [{ type: "input_text", text: "Hello" }] },
      ],
      first_id: all.data[0]?.id,
      last_id: all.data[2]?.id,
      has_more: false,
    });
    for (const item of all.data) {
      expect(differences(item, "Responses.ResponseItem")).toEqual({ wrong: [], extra: [] });
    }
    expect((await itemsBefore(id)).data).toEqual(all.data.toReversed());

    const listed: unknown[] = [];
    for await (const item of client.responses.inputItems.list(id, { limit: 1, order: "asc" })) {
      listed.push(item);
    }
    expect(listed).toEqual(all.data);
    for (const [query, param] of [
      ["limit=0", "limit"],
      ["limit=x", "limit"],
      ["order=up", "order"],
      ["after=msg_1", "after"],
    ]) {
      const response = await handle(request(`responses/${id}/input_items?${query}`));
      expect(await errorOf(response)).toMatchObject({ status: 400, param });
    }
  });

  test("is read and deleted", async () => {
    const answer = await whole({ input: "Hello" });
    const path = `responses/${answer.id}`;
    expect(await (await handle(request(path))).json()).toEqual(answer);
    expect(await errorOf(await handle(request(`${path}?stream=true`)))).toMatchObject({
      status: 400,
      param: "stream",
    });
    const deleted = await handle(request(path, { method: "DELETE" }));
    expect(await deleted.json()).toEqual({ id: answer.id, object: "response", deleted: true });
    for (const [method, end] of [
      ["GET", ""],
      ["DELETE", ""],
      ["GET", "/input_items"],
    ]) {
      expect(await errorOf(await handle(request(`${path}${end}`, { method })))).toEqual({
        status: 404,
        type: "invalid_request_error",
        message: `Response with id '${answer.id}' not found.`,
        param: "id",
        code: null,
      });
    }
    const wrong = await handle(request(path, { method: "POST" }));
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get("allow")).toBe("GET, HEAD, DELETE");
  });
});

describe("truncation", () => {
  const turn = (i: number) => [
    { role: "user", content: `Question ${i}?` },
    { role: "assistant", content: `Answer ${i}.` },
  ];
  const input = [
    { role: "system", content: "Be brief." },
    ...[...Array(12).keys()].flatMap(turn),
    { role: "user", content: "The last question?" },
  ];
  const truncation = "auto";

  test("leaves out as few of the oldest turns as necessary", async () => {
    await whole({ input });
    const all = generator.inputs[0]?.ids.length as number;
    generator.contextLength = all - 30;
    await whole({ input, truncation });
    const kept = generator.inputs[1]?.ids.length as number;
    expect(kept).toBeLessThan(generator.contextLength);
    const [left] = /(?<=Question )\d+/.exec(promptOf(1)) ?? [];
    expect(Number(left)).toBeGreaterThan(0);
    expect(promptOf(1)).toMatch(/Be brief\..*Answer 11\..*The last question\?/s);
    // With one more turn it would not fit.
    const more = input.filter((_, i) => i === 0 || i > 2 * (Number(left) - 1));
    const response = await post({ input: more });
    expect(await errorOf(response)).toMatchObject({ code: "context_length_exceeded" });
  });

  test("keeps the last turn, and fails if that is too long", async () => {
    generator.contextLength = 30;
    await whole({ input, truncation });
    expect(promptOf(0)).toMatch(/Be brief\.[^?]*The last question\?/s);
    generator.contextLength = 10;
    const error = await errorOf(await post({ input, truncation }));
    expect(error).toMatchObject({ code: "context_length_exceeded", param: "input" });
  });

  test("is off by default", async () => {
    generator.contextLength = 30;
    const error = await errorOf(await post({ input }));
    expect(error).toMatchObject({ status: 400, code: "context_length_exceeded" });
    expect(error.message).toContain("30 tokens");
  });
});
