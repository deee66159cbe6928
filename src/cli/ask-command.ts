import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { readEvents } from "../net/event-stream.ts";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  RequestPart,
  ErrorBody,
} from "../openai/wire.ts";
import type { LoadedModel } from "../runtime/loaded-model.ts";
import type { RuntimeOptions } from "../runtime/options.ts";
import { imageFetch } from "./fetch-image.ts";
import { loadForCommand } from "./load-for-command.ts";
import { onSignals } from "./signals.ts";
import { openTerminal } from "./terminal.ts";

export interface AskCommandOptions extends RuntimeOptions {
  readonly model?: string | undefined;
  readonly system?: string | undefined;
  readonly maxTokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly seed?: number | undefined;
  /** Print the whole response of the API. */
  readonly json?: boolean | undefined;
}

/**
 * `webvlm ask`: asks one question about images, and streams the answer to standard output.
 *
 * @param words images and text in order
 * @param load loads the model; tests have their own
 * @returns the exit code
 * @throws Error when an image can't be read, the model can't be loaded, or the request is rejected
 */
export async function askCommand(
  words: readonly string[],
  options: AskCommandOptions,
  load = loadForCommand,
): Promise<number> {
  const { system, maxTokens, temperature, seed, json = false } = options;
  const content = words.map(contentPart);
  if (!content.some(({ type }) => type === "text")) {
    throw new Error(
      `Say what you want to know, as in: webvlm ask ${words[0]} "What's in this image?"`,
    );
  }
  const stop = new AbortController();
  onSignals(() => stop.abort(new Error("interrupted")));
  // The reader of a pipe, such as `head`, may stop reading.
  process.stdout.on("error", () => stop.abort(new Error("the output was closed")));

  const fetchImage = imageFetch({ all: true, loopback: true });
  let model: LoadedModel | undefined;
  try {
    model = await load({ ...options, fetchImage }, openTerminal(), stop.signal);
    const request = {
      messages: [
        ...(system === undefined ? [] : [{ role: "system", content: system }]),
        { role: "user", content },
      ],
      max_tokens: maxTokens,
      temperature,
      seed,
      stream: !json,
    };
    const response = await model.fetch(
      new Request("http://localhost/v1/chat/completions", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(request),
        signal: stop.signal,
      }),
    );
    if (!response.ok) throw new Error(((await response.json()) as ErrorBody).error.message);
    if (json) {
      const answer = (await response.json()) as ChatCompletion;
      process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
    } else {
      await print(response.body as ReadableStream<Uint8Array>);
    }
    // The next start is faster. An interrupt ends the wait, not the answer.
    await Promise.race([model.stored, once(stop.signal, "abort")]);
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 130;
    throw error;
  } finally {
    model?.dispose();
  }
}

/** Writes the deltas as they arrive, without the space that many answers begin with. */
async function print(body: ReadableStream<Uint8Array>): Promise<void> {
  let begun = false;
  for await (const data of readEvents(body)) {
    if (data === "[DONE]") break;
    const event = JSON.parse(data) as ChatCompletionChunk | ErrorBody;
    if ("error" in event) throw new Error(event.error.message);
    const delta = event.choices[0]?.delta.content ?? "";
    const text: string = begun ? delta : delta.trimStart();
    begun ||= text !== "";
    if (text) process.stdout.write(text);
  }
  process.stdout.write("\n");
}

/** A word is an image if it is a file, a URL, or "-" for standard input. Otherwise it is text. */
function contentPart(word: string): RequestPart {
  const image = (url: string): RequestPart => ({ type: "image_url", image_url: { url } });
  if (/^(https?|data):\S+$/i.test(word)) return image(word);
  if (word === "-") return image(dataUrl(readFileSync(process.stdin.fd)));
  if (statSync(word, { throwIfNoEntry: false })?.isFile())
    return image(dataUrl(readFileSync(word)));
  if (/^\S+\.(png|jpe?g|webp|gif|avif|tiff?|bmp|heic|svg)$/i.test(word)) {
    throw new Error(`There is no file ${word}.`);
  }
  return { type: "text", text: word };
}

function dataUrl(bytes: Buffer): string {
  return `data:application/octet-stream;base64,${bytes.toString("base64")}`;
}
