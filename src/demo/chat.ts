import { computed, type Signal, signal } from "@preact/signals";
import type { StreamProgress, Usage } from "../index.ts";
import type { DraftPart } from "./draft.ts";
import { whenReady } from "./model.ts";
import { type SentMessage, errorOf, requestBody, userMessage } from "./request.ts";
import { settings } from "./settings.ts";
import { readChunks } from "./stream.ts";
import { type Timing, timingOf } from "./timing.ts";

export interface Question {
  readonly role: "user";
  readonly id: number;
  readonly parts: readonly DraftPart[];
}

export interface Answer {
  readonly role: "assistant";
  readonly id: number;
  readonly text: Signal<string>;
  readonly state: Signal<AnswerState>;
}

export type AnswerState =
  | { readonly status: "loading" | "writing" | "stopped" }
  | { readonly status: "reading"; readonly progress?: StreamProgress }
  | { readonly status: "done"; readonly finish: string; readonly timing: Timing | undefined }
  | { readonly status: "failed"; readonly message: string };

export type Turn = Question | Answer;

export const turns = signal<readonly Turn[]>([]);
const running = signal<AbortController | undefined>(undefined);
export const answering = computed(() => running.value !== undefined);

let nextId = 0;

/** Asks a question, and streams the answer into the conversation. One answer runs at a time. */
export async function askQuestion(parts: readonly DraftPart[]): Promise<void> {
  if (running.value || parts.length === 0) return;
  const question: Question = { role: "user", id: nextId++, parts };
  await answerTo([...turns.value, question]);
}

/** Answers the last question again. */
export async function regenerate(): Promise<void> {
  if (running.value) return;
  const last = turns.value.findLastIndex((turn) => turn.role === "user");
  if (last >= 0) await answerTo(turns.value.slice(0, last + 1));
}

export function stop(): void {
  running.value?.abort();
}

export function newChat(): void {
  stop();
  running.value = undefined; // The next question need not wait until the old answer has ended.
  turns.value = [];
}

async function answerTo(asked: readonly Turn[]): Promise<void> {
  const controller = new AbortController();
  const text = signal("");
  const state = signal<AnswerState>({ status: "loading" });
  running.value = controller;
  turns.value = [...asked, { role: "assistant", id: nextId++, text, state }];
  try {
    const model = await whenReady(controller.signal);
    state.value = { status: "reading" };
    state.value = await stream(model, asked, text, state, controller.signal);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    state.value = controller.signal.aborted ? { status: "stopped" } : { status: "failed", message };
  } finally {
    if (running.value === controller) running.value = undefined;
  }
}

async function stream(
  model: string,
  asked: readonly Turn[],
  text: Signal<string>,
  state: Signal<AnswerState>,
  aborted: AbortSignal,
): Promise<AnswerState> {
  const sent = performance.now();
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(requestBody(model, historyOf(asked), settings.value)),
    signal: aborted,
  });
  if (!response.ok || !response.body) throw await errorOf(response);

  let finish = "stop";
  let usage: Usage | undefined;
  let [first, last] = [0, 0];
  for await (const chunk of readChunks(response.body)) {
    const { progress } = chunk;
    if (progress) state.value = { status: "reading", progress };
    const [choice] = chunk.choices;
    if (choice?.delta.content) {
      last = performance.now();
      first ||= last;
      text.value += choice.delta.content;
      if (state.value.status !== "writing") state.value = { status: "writing" };
    }
    finish = choice?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  return {
    status: "done",
    finish,
    timing: first ? timingOf(usage, { sent, first, last }) : undefined,
  };
}

/** Leaves out questions without an answer, so that an image that failed doesn't fail again. */
function historyOf(asked: readonly Turn[]): SentMessage[] {
  return asked.flatMap((turn, index): SentMessage[] => {
    if (turn.role === "assistant") {
      return turn.text.value ? [{ role: "assistant", content: turn.text.value }] : [];
    }
    const next = asked[index + 1];
    const unanswered = next?.role === "assistant" && !next.text.value;
    return unanswered ? [] : [userMessage(turn.parts)];
  });
}
