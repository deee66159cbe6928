import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { turns } from "../chat.ts";
import { AnswerArticle } from "./answer.tsx";
import { DownIcon } from "./icons.tsx";
import { QuestionBubble } from "./question.tsx";

/** Distance from the end, in CSS pixels, within which the page follows the answer. */
const NEAR = 48;

export function Conversation() {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const following = useSignal(true);
  const count = turns.value.length;

  const toEnd = () => {
    following.value = true;
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  };

  useEffect(toEnd, [count]);
  useEffect(() => {
    const observer = new ResizeObserver(() => following.value && toEnd());
    observer.observe(content.current!);
    observer.observe(scroller.current!);
    return () => observer.disconnect();
  }, []);

  return (
    <>
      <div
        ref={scroller}
        class="conversation"
        role="log"
        aria-label="Conversation"
        tabIndex={0}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          following.value = scrollHeight - scrollTop - clientHeight < NEAR;
        }}
      >
        <div ref={content} class="turns">
          {turns.value.map((turn, index) =>
            turn.role === "user" ? (
              <QuestionBubble key={turn.id} question={turn} />
            ) : (
              <AnswerArticle key={turn.id} answer={turn} last={index === count - 1} />
            ),
          )}
        </div>
      </div>
      {!following.value && (
        <button type="button" class="to-end" onClick={toEnd} aria-label="Jump to the latest answer">
          <DownIcon />
        </button>
      )}
    </>
  );
}
