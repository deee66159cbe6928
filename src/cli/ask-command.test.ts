import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ScriptedGenerator, readJson, scriptedModel } from "../../tests/chat-support.ts";
import { createHandler } from "../openai/handler.ts";
import type { ChatCompletion } from "../openai/wire.ts";
import { askCommand } from "./ask-command.ts";

const IMAGES = join(import.meta.dirname, "../../e2e/goldens/sample");

interface Case {
  readonly input_ids: number[];
  readonly output_ids: number[];
  readonly text: string;
}
const cases = readJson("e2e/goldens/sample/cases.json") as Case[];
const golden = cases.find(({ text }) => text.startsWith("Image 1 shows a blue square")) as Case;
const WORDS = [
  ...["Image 1:", join(IMAGES, "before.png"), "Image 2:", join(IMAGES, "after.png")],
  "What is different?",
];

let output = "";
beforeEach(() => {
  output = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    output += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

/** Asks a model that gives the golden answer. @returns what it was asked */
async function ask(words: readonly string[], options: { json?: boolean } = {}) {
  const generator = new ScriptedGenerator(golden.output_ids);
  const served = {
    ...{ id: "sample", created: 0, fingerprint: "test" },
    chat: scriptedModel(generator),
  };
  const dispose = vi.fn();
  const load = async () => ({
    id: served.id,
    fetch: createHandler({ model: () => served }),
    stats: () => Promise.reject(new Error("not needed")),
    unload: async () => true,
    dispose,
  });
  const listeners = process.listeners("SIGINT");
  try {
    expect(await askCommand(words, { temperature: 0, ...options }, load)).toBe(0);
  } finally {
    expect(dispose).toHaveBeenCalledOnce();
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      for (const listener of process.listeners(signal)) {
        if (!listeners.includes(listener)) process.off(signal, listener);
      }
    }
  }
  return generator.inputs;
}

test("sends images and the text between them in order, and prints the answer", async () => {
  const [input] = await ask(WORDS);
  expect(input?.ids).toEqual(golden.input_ids);
  expect(input?.images).toHaveLength(2);
  expect(output).toBe(`${golden.text}\n`);
});

test("with json, prints the API's answer", async () => {
  await ask(WORDS, { json: true });
  const { choices } = JSON.parse(output) as ChatCompletion;
  expect(choices[0]?.message.content?.trim()).toBe(golden.text);
});

test("a refused request throws the API's error, and prints no answer", async () => {
  await expect(ask([join(IMAGES, "cases.json"), "What is it?"])).rejects.toThrow(
    /^The image can't be decoded/,
  );
  expect(output).toBe("");
});
