import OpenAI from "openai";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Vlm } from "webvlm";

export interface Answer {
  /** The answer so far. */
  readonly text: string;
  readonly answering: boolean;
  readonly error: Error | undefined;
  /** Stops the previous answer, if it still runs. */
  ask(image: string, question: string): Promise<void>;
  stop(): void;
}

/** One answer at a time, streamed by the OpenAI SDK from a model in this page. */
export function useAnswer(vlm: Vlm): Answer {
  const openai = useMemo(
    () =>
      new OpenAI({
        baseURL: "https://webvlm.local/v1", // Never requested: `fetch` answers.
        apiKey: "none",
        fetch: vlm.fetch,
        dangerouslyAllowBrowser: true, // There is no key to steal.
      }),
    [vlm],
  );
  const [text, setText] = useState("");
  const [answering, setAnswering] = useState(false);
  const [error, setError] = useState<Error>();
  const running = useRef<AbortController>(null);

  const stop = () => running.current?.abort();
  useEffect(() => stop, []);

  const ask = async (image: string, question: string) => {
    stop();
    const { signal } = (running.current = new AbortController());
    setText("");
    setError(undefined);
    setAnswering(true);
    try {
      const chunks = await openai.chat.completions.create(
        {
          model: vlm.id,
          stream: true,
          messages: [
            {
              role: "user",
              content: [
                { type: "image_url", image_url: { url: image } },
                { type: "text", text: question },
              ],
            },
          ],
        },
        { signal },
      );
      for await (const { choices } of chunks) {
        if (signal.aborted) return;
        setText((text) => text + (choices[0]?.delta.content ?? ""));
      }
    } catch (error) {
      if (!signal.aborted) setError(error as Error);
    } finally {
      if (signal === running.current.signal) setAnswering(false);
    }
  };

  return { text, answering, error, ask, stop };
}
