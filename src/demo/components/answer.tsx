import { type Answer, type AnswerState, answering, regenerate } from "../chat.ts";
import { duration, plural, progressText } from "../format.ts";
import type { Timing } from "../timing.ts";
import { CopyButton } from "./copy-button.tsx";
import { AgainIcon } from "./icons.tsx";

/** @returns what an answer without words waits for */
function waitingText(state: AnswerState): string | undefined {
  if (state.status === "loading") return "Waiting for the model to load…";
  return state.status === "reading" ? progressText(state.progress) : undefined;
}

interface Props {
  answer: Answer;
  last: boolean;
}

/** The article is busy until the answer is whole, so that a screen reader waits for it. */
export function AnswerArticle({ answer, last }: Props) {
  const state = answer.state.value;
  const waiting = waitingText(state);
  const text = answer.text.value.trimStart(); // Many models begin their answers with a space.
  const busy = waiting !== undefined || state.status === "writing";
  return (
    <article class="answer" data-role="assistant" aria-label="Answer" aria-busy={busy}>
      {waiting && <p class="waiting">{waiting}</p>}
      <div class={busy ? "answer-text writing" : "answer-text"}>{text}</div>
      {state.status === "failed" && <Failure message={state.message} />}
      {state.status === "stopped" && <p class="remark">Stopped.</p>}
      {state.status === "done" && !text && <p class="remark">The model had nothing to say.</p>}
      {state.status === "done" && state.finish === "length" && (
        <p class="remark">Cut at the longest answer that the settings allow.</p>
      )}
      {!busy && (
        <div class="answer-footer">
          {text && <CopyButton text={() => text} label="Copy answer" />}
          {last && (
            <button
              type="button"
              class="icon-button small"
              aria-label="Regenerate"
              title="Regenerate"
              disabled={answering.value}
              onClick={() => void regenerate()}
            >
              <AgainIcon />
            </button>
          )}
          {state.status === "done" && state.timing && <Measured timing={state.timing} />}
        </div>
      )}
    </article>
  );
}

function Failure({ message }: { message: string }) {
  return (
    <p class="failure" role="alert">
      {message}
    </p>
  );
}

function Measured({ timing }: { timing: Timing }) {
  const { tokens, tokensPerSecond, firstTokenMs, promptTokens, cachedTokens } = timing;
  const cached = cachedTokens > 0 ? `, ${cachedTokens.toLocaleString("en")} from cache` : "";
  return (
    <p class="measured" title={`Prompt: ${plural(promptTokens, "token")}${cached}`}>
      <span>{plural(tokens, "token")}</span>
      {tokensPerSecond !== undefined && <span>{tokensPerSecond.toFixed(1)} tokens/s</span>}
      <span>first after {duration(firstTokenMs)}</span>
    </p>
  );
}
