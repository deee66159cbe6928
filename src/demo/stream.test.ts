import { expect, test, vi } from "vitest";
import type { ChatCompletionChunk } from "../index.ts";
import { readChunks } from "./stream.ts";

function streamOf(pieces: readonly (string | Uint8Array<ArrayBuffer>)[]) {
  const encoder = new TextEncoder();
  let next = 0;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      const piece = pieces[next++];
      if (piece === undefined) controller.close();
      else controller.enqueue(typeof piece === "string" ? encoder.encode(piece) : piece);
    },
  });
}

const event = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}`;

async function textOf(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const chunk of readChunks(body)) text += chunk.choices[0]?.delta.content ?? "";
  return text;
}

test.each([
  ["\\n\\n", "\n\n"],
  ["\\r\\n\\r\\n", "\r\n\r\n"],
  ["\\r\\r", "\r\r"],
])("reads events separated by %s, in pieces of any size", async (_, separator) => {
  const whole = [event("A réd"), ": comment", event(" ☆."), "data: [DONE]", ": end\n\n"].join(
    separator,
  );
  const bytes = new TextEncoder().encode(whole);
  for (let size = 1; size < 40; size++) {
    const pieces = [];
    for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
    expect(await textOf(streamOf(pieces))).toBe("A réd ☆.");
  }
});

test("yields the chunk with usage, and stops at [DONE]", async () => {
  const usage = { prompt_tokens: 30, completion_tokens: 5 };
  const last = `data: ${JSON.stringify({ choices: [], usage })}`;
  const chunks: ChatCompletionChunk[] = [];
  const body = streamOf([`${event("A")}\n\n${last}\n\ndata: [DONE]\n\n${event("never")}\n\n`]);
  for await (const chunk of readChunks(body)) chunks.push(chunk);
  expect(chunks).toHaveLength(2);
  expect(chunks[1]?.usage).toEqual(usage);
});

test("throws the message of an error event", async () => {
  const error = `data: ${JSON.stringify({ error: { message: "The GPU was lost." } })}\n\n`;
  await expect(textOf(streamOf([event("A") + "\n\n", error]))).rejects.toThrow("The GPU was lost.");
});

test("throws when the stream ends before [DONE]", async () => {
  await expect(textOf(streamOf([event("A") + "\n\n"]))).rejects.toThrow("broke off");
});

test("cancels the body when the reader stops early", async () => {
  const onCancel = vi.fn();
  const body = new ReadableStream({
    pull: (controller) => controller.enqueue(new TextEncoder().encode(`${event("A")}\n\n`)),
    cancel: onCancel,
  });
  for await (const chunk of readChunks(body)) {
    expect(chunk.choices[0]?.delta.content).toBe("A");
    break;
  }
  await vi.waitFor(() => expect(onCancel).toHaveBeenCalledOnce());
});
