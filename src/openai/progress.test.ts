import { expect, test } from "vitest";
import { ScriptedGenerator, scriptedModel } from "../../tests/chat-support.ts";
import type { GeneratedToken, GenerationInput } from "../engine/generation.ts";
import { createHandler } from "./handler.ts";
import type { ChatCompletionChunk } from "./wire.ts";

const turn = () => new Promise<void>((resolve) => setTimeout(resolve));
const { tokenizer } = scriptedModel(new ScriptedGenerator());
const IDS = tokenizer.encode("A red circle.", { addSpecialTokens: false });

/** Reports what it waits for, as the engine does. */
class ReportingGenerator extends ScriptedGenerator {
  override async *generate(input: GenerationInput): AsyncGenerator<GeneratedToken, void, void> {
    input.onProgress?.({ stage: "queue", position: 1 });
    await turn();
    input.onProgress?.({ stage: "queue", position: 0 });
    input.onProgress?.({ stage: "images", encoded: 1, total: 1 });
    await turn();
    input.onProgress?.({ stage: "prompt", cached: 64, computed: 96, total: 96 });
    await turn();
    for await (const token of super.generate(input)) {
      yield token;
      input.onProgress?.({ stage: "queue", position: 7 });
    }
  }
}

const PROGRESS = [
  { stage: "queue", position: 1 },
  { stage: "queue", position: 0 },
  { stage: "images", encoded: 1, total: 1 },
  { stage: "prompt", cached_tokens: 64, computed_tokens: 96, total_tokens: 96 },
];

function post(path: string, generator: ScriptedGenerator, body: object): Promise<Response> {
  const served = { id: "org/sample", created: 0, fingerprint: "", chat: scriptedModel(generator) };
  const handle = createHandler({ model: () => served });
  const all = JSON.stringify({ ...body, stream: true });
  return handle(new Request(`http://local.test/v1/${path}`, { method: "POST", body: all }));
}

async function eventsOf(response: Response): Promise<ChatCompletionChunk[]> {
  expect(response.status).toBe(200);
  const data = (await response.text()).split("\n\n").filter((line) => line.startsWith("data: {"));
  return data.map((line) => JSON.parse(line.slice(6)) as ChatCompletionChunk);
}

test.each([
  ["chat/completions", { messages: [{ role: "user", content: "Hello!" }], n: 2 }],
  ["completions", { prompt: ["Hello!", "Good day!"] }],
])("a stream of %s tells what it waits for, until its answer begins", async (path, body) => {
  const plain = await eventsOf(await post(path, new ReportingGenerator(IDS), body));
  expect(plain.filter((event) => "progress" in event)).toEqual([]);
  const asked = { ...body, stream_options: { include_progress: true } };
  const told = await eventsOf(await post(path, new ReportingGenerator(IDS), asked));
  const reports = told.slice(0, PROGRESS.length);
  expect(reports.map(({ progress }) => progress)).toEqual(PROGRESS);
  const { id, object, created, model } = told.at(-1) as ChatCompletionChunk;
  for (const report of reports) expect(report).toMatchObject({ id, object, created, model });
  for (const report of reports) expect(report.choices).toEqual([]);
  const choices = (events: ChatCompletionChunk[]) => events.map((event) => event.choices);
  expect(choices(told.slice(PROGRESS.length))).toEqual(choices(plain));
});

test("a failure after progress is an event, and one before it the status", async () => {
  const body = {
    messages: [{ role: "user", content: "Hello!" }],
    stream_options: { include_progress: true },
  };
  const late = new ReportingGenerator();
  late.failure = new Error("out of luck");
  const events = await eventsOf(await post("chat/completions", late, body));
  expect(events.at(-1)).toMatchObject({ error: { type: "server_error" } });
  const early = new ScriptedGenerator();
  early.failure = new Error("out of luck");
  expect((await post("chat/completions", early, body)).status).toBe(500);
});
