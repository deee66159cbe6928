import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import {
  PARAMETERS_PAGE,
  answerTo,
  answerWith,
  errorOf,
  inputOf,
  inputs,
  namesIn,
  post,
  sample,
  sampleWith,
} from "../../tests/documented.ts";
import { chatCompletionRequest } from "./chat-completions-request.ts";
import { IGNORED_CHAT_FIELDS } from "./unknown-fields.ts";
import { UNSUPPORTED_CHAT_FIELDS } from "./unsupported.ts";

const EOS = 1023;

beforeEach(() => answerWith());

describe("null is a missing parameter", () => {
  const optional = Object.keys(chatCompletionRequest.shape).filter((name) => name !== "messages");

  test.each([...optional, ...Object.keys(UNSUPPORTED_CHAT_FIELDS), ...IGNORED_CHAT_FIELDS])(
    "%s",
    async (name) => {
      const [plain, given] = [await inputOf({}), await inputOf({ [name]: null })];
      const { signal, onCached, sampling } = plain;
      const { seed } = sampling;
      expect({ ...given, signal, onCached, sampling: { ...given.sampling, seed } }).toEqual(plain);
    },
  );
});

/** A value of each refused parameter that asks for something. */
const ASKING: Readonly<Record<string, unknown>> = {
  functions: [{ name: "zoom" }],
  function_call: { name: "zoom" },
  modalities: ["text", "audio"],
  audio: { voice: "alloy" },
  web_search_options: {},
  chat_template: "{{ messages }}",
  documents: [{ text: "a" }],
  echo: true,
  add_generation_prompt: false,
  add_special_tokens: true,
  media_io_kwargs: { video: { fps: 1 } },
  stop_regex: "a+",
  input_ids: [1],
  lora_path: "a",
  use_beam_search: true,
  best_of: 2,
  length_penalty: 0.5,
  prompt_logprobs: 1,
  truncate_prompt_tokens: 5,
  allowed_token_ids: [1],
  bad_words: ["a"],
  logits_processors: ["a"],
  guided_whitespace_pattern: " ",
  thinking_token_budget: 5,
  n_predict: 5,
  n_probs: 1,
  n_keep: 1,
  typical_p: 0.5,
  mirostat: 2,
  dynatemp_range: 0.5,
  xtc_probability: 0.5,
  dry_multiplier: 0.8,
  top_n_sigma: 1,
  samplers: ["top_k"],
  lora: [{ id: 0, scale: 1 }],
  custom_logit_processor: "a",
  return_hidden_states: true,
  session_params: { id: "a" },
};

describe("a refused parameter that asks for something is named", () => {
  test("each has a value here", () => {
    expect(Object.keys(ASKING)).toEqual(Object.keys(UNSUPPORTED_CHAT_FIELDS));
  });

  test.each(Object.entries(ASKING))("%s", async (param, value) => {
    const error = await errorOf({ [param]: value });
    expect(error).toMatchObject({ code: "unsupported_parameter", param });
    expect(inputs()).toEqual([]);
  });
});

test("ignored parameters of the page are not named in the log", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  await inputOf(Object.fromEntries(IGNORED_CHAT_FIELDS.map((name) => [name, "anything"])));
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});

describe("the checkpoint's defaults", () => {
  test("where decoding is greedy, a temperature samples from all tokens", async () => {
    const greedy = sampleWith({ "generation_config.json": { eos_token_id: EOS } });
    const { sampling } = await inputOf({ temperature: 0.7 }, greedy);
    expect(sampling).toMatchObject({ temperature: 0.7, topK: 0, topP: 1, minP: 0 });
  });

  test.each([
    [{ max_new_tokens: 7 }, () => 7],
    [{ max_length: 100 }, (prompt: number) => 100 - prompt],
    [{ max_length: 1 }, () => 1],
    [{ max_new_tokens: 7, max_length: 100 }, () => 7],
    [{ max_new_tokens: 9999 }, (prompt: number) => 2048 - prompt],
    [{}, (prompt: number) => 2048 - prompt],
  ])("the longest answer of %j", async (settings, expected) => {
    const chat = sampleWith({ "generation_config.json": { eos_token_id: EOS, ...settings } });
    const { ids, maxTokens } = await inputOf({}, chat);
    expect(maxTokens).toBe(expected(ids.length));
    expect((await inputOf({ max_tokens: 3 }, chat)).maxTokens).toBe(3);
    // -1 asks for what the context has room for.
    expect((await inputOf({ max_tokens: -1 }, chat)).maxTokens).toBe(2048 - ids.length);
  });

  test("stop_token_ids are added to the end tokens", async () => {
    const chat = sampleWith({ "generation_config.json": { eos_token_id: [5, EOS] } });
    const { stopTokenIds } = await inputOf({ stop_token_ids: [7] }, chat);
    expect([...stopTokenIds].sort((a, b) => a - b)).toEqual([5, 7, EOS]);
  });
});

describe("another server's name of a parameter", () => {
  test("include_stop_str_in_output", async () => {
    const body = { stop: "circle" };
    const textOf = async (more: object) =>
      (await answerTo({ ...body, ...more })).choices[0]?.message.content;
    expect(await textOf({})).toBe("A red ");
    expect(await textOf({ include_stop_str_in_output: true })).toBe("A red circle");
    const both = { include_stop_str_in_output: true, no_stop_trim: false };
    expect(await textOf(both)).toBe("A red ");
  });

  test("repeat_penalty", async () => {
    const penalty = async (body: object) => (await inputOf(body)).sampling.repetitionPenalty;
    expect(await penalty({ repeat_penalty: 1.3 })).toBe(1.3);
    expect(await penalty({ repeat_penalty: 1.3, repetition_penalty: 1.1 })).toBe(1.1);
  });

  test("json_object of structured_outputs, guided_choice and guided_json", async () => {
    for (const form of [
      { structured_outputs: { json_object: true } },
      { guided_choice: ["left", "right"] },
      { guided_json: { enum: [1] } },
      { guided_json: '{"enum": [1]}' },
      { json_schema: '{"enum": [1]}' },
    ]) {
      expect((await inputOf(form)).constraint, JSON.stringify(form)).toBeDefined();
    }
    for (const none of [{ structured_outputs: {} }, { response_format: { type: "text" } }]) {
      expect((await inputOf(none)).constraint).toBeUndefined();
    }
  });
});

describe("variables of the chat template", () => {
  const variables = ["reasoning_effort", "enable_thinking", "thinking", "bos_token"];
  const template =
    `${variables.map((name) => `[{{ ${name} | default('none') }}]`).join("")}` +
    "{{ messages[0].content[0].text if messages[0].content is not string else messages[0].content }}";
  const chat = sampleWith({ "chat_template.jinja": template });
  const promptOf = async (body: object) =>
    sample.tokenizer.decode((await inputOf(body, chat)).ids, { skipSpecialTokens: false });
  const bos = sample.tokenizer.namedTokens.bos_token ?? "";

  test.each([
    [{}, ["none", "none", "none"]],
    [{ reasoning_effort: "low" }, ["low", "True", "True"]],
    [{ reasoning_effort: 0.5 }, ["0.5", "True", "True"]],
    [{ reasoning_effort: "none" }, ["none", "False", "False"]],
    [{ reasoning_effort: 0 }, ["0", "False", "False"]],
    [
      {
        reasoning_effort: "low",
        chat_template_kwargs: { reasoning_effort: "a", enable_thinking: "b", thinking: "c" },
      },
      ["a", "b", "c"],
    ],
    [{ chat_template_kwargs: { bos_token: "x", messages: [] } }, ["none", "none", "none"]],
  ])("%j", async (body, expected) => {
    const written = [...expected, bos].map((text) => `[${text}]`).join("");
    expect(await promptOf(body)).toContain(`${written}Hello`);
  });
});

test("a function that must be called is the only one that the model sees, as allowed tools are", async () => {
  const tools = ["zoom", "clock", "lamp"].map((name) => ({ type: "function", function: { name } }));
  const seen = async (tool_choice: unknown) => {
    const { ids } = await inputOf({ tools, tool_choice });
    const prompt = sample.tokenizer.decode(ids);
    return ["zoom", "clock", "lamp"].filter((name) => prompt.includes(`"${name}"`));
  };
  expect(await seen("auto")).toEqual(["zoom", "clock", "lamp"]);
  expect(await seen(undefined)).toEqual(["zoom", "clock", "lamp"]);
  expect(await seen({ type: "function", function: { name: "clock" } })).toEqual(["clock"]);
  const allowed = { mode: "auto", tools: [tools[0], tools[2]] };
  expect(await seen({ type: "allowed_tools", allowed_tools: allowed })).toEqual(["zoom", "lamp"]);
});

test("streams have no prompt_token_ids", async () => {
  const text = await (await post({ stream: true, return_token_ids: true })).text();
  expect(text).toContain('"token_ids"');
  expect(text).not.toContain("prompt_token_ids");
});

test("a stop string ends a call, too", async () => {
  const call = '<tool_call>\n{"name": "zoom", "arguments": {"place": "Oslo"}}\n</tool_call>';
  const tools = [{ type: "function", function: { name: "zoom", parameters: { type: "object" } } }];
  const choiceOf = async (body: object) => {
    answerWith(call);
    return (await answerTo({ tools, ...body })).choices[0];
  };
  expect(await choiceOf({})).toMatchObject({
    message: { tool_calls: [{ function: { name: "zoom" } }] },
    finish_reason: "tool_calls",
  });
  const stopped = await choiceOf({ stop: "Oslo" });
  expect(stopped).toMatchObject({ finish_reason: "stop", matched_stop: "Oslo" });
  expect(stopped?.message).not.toHaveProperty("tool_calls");
});

test("a stop string ends a form, too", async () => {
  answerWith("AAB");
  expect((await answerTo({ regex: "[AB]*", stop: "B" })).choices[0]).toMatchObject({
    message: { content: "AA" },
    finish_reason: "stop",
    matched_stop: "B",
  });
});

test("the types that the page names are exported", () => {
  const wire = readFileSync(join(import.meta.dirname, "wire.ts"), "utf8");
  const named = namesIn(PARAMETERS_PAGE.split("## Types")[1] ?? "").filter((name) =>
    /^[A-Z]\w+$/.test(name),
  );
  expect(named.length).toBeGreaterThan(7);
  for (const name of named.filter((name) => name !== "Responses")) {
    expect(wire).toMatch(new RegExp(`export (interface|type) ${name}\\b`));
  }
});
