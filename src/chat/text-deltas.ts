import type { GeneratedToken } from "../engine/generation.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { AnswerReader, type ReaderOptions, joinPieces, keptTokensOf } from "./answer-reader.ts";
import type { AnswerOptions, AnswerDelta, Finish } from "./answer-types.ts";
import { type TokenLogprobs, tokenLogprobs } from "./logprobs.ts";
import { StopStrings } from "./stop-strings.ts";

export interface TextOptions extends Pick<
  AnswerOptions,
  "stop" | "keepStop" | "skipSpecialTokens"
> {
  readonly stopTokenIds: ReadonlySet<number>;
  readonly reading: ReaderOptions;
  /** The last tokens of the prompt, if the answer continues their text. */
  readonly after: readonly number[];
}

/** A delta of one choice. */
export interface TextDelta extends Omit<AnswerDelta, "choice"> {
  /** Whether the token belongs to a `<think>` block or its tags. */
  readonly isReasoning: boolean;
}

/**
 * Turns the tokens of one choice into deltas, up to its stop. Stop strings apply to everything that
 * the model writes, including reasoning and tool calls.
 */
export async function* textDeltas(
  tokenizer: Tokenizer,
  tokens: AsyncIterable<GeneratedToken>,
  options: TextOptions,
): AsyncGenerator<TextDelta, void, void> {
  const { stop = [], keepStop = false, skipSpecialTokens = true, after } = options;
  const { stopTokenIds, reading } = options;
  const keptTokens = keptTokensOf(reading);
  const detokenizer = tokenizer.detokenizer({ skipSpecialTokens, keptTokens, after });
  const stops = new StopStrings(stop);
  const reader = new AnswerReader(reading);
  let stopToken: number | undefined;
  let stopLogprobs: TokenLogprobs | undefined;
  let ended: Finish = { reason: "length", matched: null };

  const keptStop = (matched: string) => (keepStop ? matched : "");
  const lastText = (text: string) => joinPieces(reader.push(text), reader.end());
  const finished = ({ reason, matched }: Finish): Finish => ({
    reason: reason === "stop" && reader.hasCalls ? "tool_calls" : reason,
    matched,
  });

  for await (const generated of tokens) {
    const id = generated.token;
    const logprobs = tokenLogprobs(tokenizer, generated);
    const tokenFields = { token: id, ...(logprobs && { logprobs }) };
    if (stopTokenIds.has(id)) {
      ended = { reason: "stop", matched: id };
      stopToken = id;
      if (keepStop) stopLogprobs = logprobs;
      break;
    }
    const wasThinking = reader.isThinking;
    const { text, matched } = stops.push(detokenizer.push(id));
    if (matched !== undefined) {
      const last = { ...lastText(text + keptStop(matched)), isReasoning: wasThinking };
      yield { ...last, ...tokenFields, finish: finished({ reason: "stop", matched }) };
      return;
    }
    const piece = reader.push(text);
    const read = { ...piece, isReasoning: wasThinking || reader.isThinking };
    if (reader.isDone) {
      yield { ...read, ...tokenFields, finish: finished({ reason: "stop", matched: null }) };
      return;
    }
    yield { ...read, ...tokenFields };
  }

  const kept = keepStop && stopToken !== undefined ? detokenizer.push(stopToken) : "";
  const { text, matched } = stops.push(kept + detokenizer.end());
  const last = {
    isReasoning: false,
    ...(stopToken !== undefined && { token: stopToken }),
    ...(stopLogprobs && { logprobs: stopLogprobs }),
  };
  if (matched !== undefined) ended = { reason: "stop", matched };
  const rest = lastText(text + (matched === undefined ? stops.end() : keptStop(matched)));
  yield { ...rest, ...last, finish: finished(ended) };
}
