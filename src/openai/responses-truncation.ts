import type { ChatAnswer } from "../chat/answer-types.ts";
import { OpenAIError } from "./errors.ts";
import type { LocatedMessage } from "./responses-messages.ts";

/**
 * Asks with as many of the conversation's turns as fit in the context, the oldest left out. A turn
 * begins with a message of the user; what the system says stays, and so does the last turn.
 *
 * @param ask throws OpenAIError `context_length_exceeded` for messages that don't fit
 * @throws what `ask` throws for the last turn alone, when not even that fits
 */
export async function askWithinContext(
  messages: readonly LocatedMessage[],
  ask: (messages: readonly LocatedMessage[]) => Promise<ChatAnswer>,
): Promise<ChatAnswer> {
  const turns = messages.flatMap(({ role }, i) => (role === "user" ? [i] : []));
  /** Without the first `count` turns, or undefined when that is still too long. */
  const askWithout = async (count: number): Promise<ChatAnswer | undefined> => {
    const start = count === 0 ? 0 : (turns[count] as number);
    const kept = messages.filter(({ role }, i) => i >= start || isSystem(role));
    try {
      return await ask(kept);
    } catch (error) {
      const tooLong = error instanceof OpenAIError && error.code === "context_length_exceeded";
      if (!tooLong || count >= turns.length - 1) throw error;
      return undefined;
    }
  };
  const whole = await askWithout(0);
  if (whole) return whole;
  let least = 1;
  let most = turns.length - 1;
  let answer = (await askWithout(most)) as ChatAnswer;
  while (least < most) {
    const middle = Math.floor((least + most) / 2);
    const fitting = await askWithout(middle);
    if (fitting) {
      answer = fitting;
      most = middle;
    } else {
      least = middle + 1;
    }
  }
  return answer;
}

function isSystem(role: LocatedMessage["role"]): boolean {
  return role === "system" || role === "developer";
}
