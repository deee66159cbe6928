import type { Question } from "../chat.ts";

/** What was asked, pictures and text in the order in which they were sent. */
export function QuestionBubble({ question }: { question: Question }) {
  return (
    <div class="question" data-role="user" role="group" aria-label="You asked">
      {question.parts.map((part, index) =>
        part.type === "text" ? (
          <p key={index}>{part.text}</p>
        ) : (
          <img key={index} src={part.picture.url} alt={part.picture.name} />
        ),
      )}
    </div>
  );
}
