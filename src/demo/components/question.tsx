import type { Question } from "../chat.ts";

/** A question: images and text in the order they were sent. */
export function QuestionBubble({ question }: { question: Question }) {
  return (
    <div class="question" data-role="user" role="group" aria-label="You asked">
      {question.parts.map((part, index) =>
        part.type === "text" ? (
          <p key={index}>{part.text}</p>
        ) : (
          <img key={index} src={part.image.url} alt={part.image.name} />
        ),
      )}
    </div>
  );
}
