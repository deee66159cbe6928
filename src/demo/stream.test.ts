import { expect, test, vi } from "vitest";
import { type Chunk, readChunks } from "./stream.ts";

function streamOf(pieces: readonly (string | Uint8Array)[], onCancel = () => {}) {
  const encoder = new TextEncoder();
  let next = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces[next++];
      if (piece === undefined) controller.close();
      else controller.enqueue(typeof piece === "string" ? encoder.encode(piece) : piece);
    },
    cancel: onCancel,
  });
}

const event = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}`;

async function textOf(body: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of readChunks(body)) text += chunk.choices[0]?.delta.content ?? "";
  return text;
}

test.each([
  ["\\n\\n", "\n\n"],
  ["\\r\\n\\r\\n", "\r\n\r\n"],
  ["\\r\\r", "\r\r"],
])("reads events separated by %s, cut anywhere, even inside a character", async (_, separator) => {
  const whole = [event("A réd"), ": comment", event(" ☆."), "data: [DONE]", ""].join(separator);
  const bytes = new TextEncoder().encode(whole);
  for (let size = 1; size < 40; size++) {
    const pieces = [];
    for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
    expect(await textOf(streamOf(pieces))).toBe("A réd ☆.");
  }
});

test("passes usage on, and stops at [DONE]", async () => {
  const usage = { prompt_tokens: 30, completion_tokens: 5 };
  const last = `data: ${JSON.stringify({ choices: [], usage })}`;
  const chunks: Chunk[] = [];
  const body = streamOf([`${event("A")}\n\n${last}\n\ndata: [DONE]\n\n${event("never")}\n\n`]);
  for await (const chunk of readChunks(body)) chunks.push(chunk);
  expect(chunks).toHaveLength(2);
  expect(chunks[1]?.usage).toEqual(usage);
});

test("throws the message of an error in mid-stream", async () => {
  const error = `data: ${JSON.stringify({ error: { message: "The GPU was lost." } })}\n\n`;
  await expect(textOf(streamOf([event("A") + "\n\n", error]))).rejects.toThrow("The GPU was lost.");
});

test("throws when the stream ends before [DONE]", async () => {
  await expect(textOf(streamOf([event("A") + "\n\n"]))).rejects.toThrow("broke off");
});

test("cancels the body when the reader stops early", async () => {
  const onCancel = vi.fn();
  const body = streamOf([event("A") + "\n\n", event("B") + "\n\n"], onCancel);
  for await (const chunk of readChunks(body)) {
    expect(chunk.choices[0]?.delta.content).toBe("A");
    break;
  }
  expect(onCancel).toHaveBeenCalledOnce();
});
