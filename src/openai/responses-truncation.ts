import type { ChatAnswer } from "../chat/answer-types.ts";
import { OpenAIError } from "./errors.ts";
import type { LocatedMessage } from "./responses-messages.ts";

/**
 * Leaves out the oldest turns of a conversation, as few as are needed to fit it into the context. A
 * turn begins with a message from the user. System messages and the last turn always stay.
 *
 * @param ask throws an OpenAIError `context_length_exceeded` for messages that don't fit
 * @throws what `ask` throws for the last turn alone, if not even that fits
 */
export async function askWithinContext(
  messages: readonly LocatedMessage[],
  ask: (messages: readonly LocatedMessage[]) => Promise<ChatAnswer>,
): Promise<ChatAnswer> {
  const turns = messages.flatMap(({ role }, i) => (role === "user" ? [i] : []));
  /** Asks without the first `count` turns. @returns undefined if the rest is still too long */
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
