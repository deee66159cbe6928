import { type ChangeEvent, type SubmitEvent, useState } from "react";
import type { Vlm } from "webvlm";
import { useAnswer } from "./use-answer.ts";

export function Questions({ vlm }: { readonly vlm: Vlm }) {
  const [image, setImage] = useState<string>();
  const [question, setQuestion] = useState("What's in this image?");
  const { text, answering, error, ask, stop } = useAnswer(vlm);

  const choose = async ({ target }: ChangeEvent<HTMLInputElement>) => {
    const file = target.files?.[0];
    setImage(file && (await dataUrl(file)));
  };

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (image) void ask(image, question);
  };

  return (
    <>
      <form onSubmit={submit}>
        <p>
          <label>
            Image <input type="file" accept="image/*" required onChange={choose} />
          </label>
        </p>
        {image && <img src={image} alt="The chosen image" width="192" />}
        <p>
          <label>
            Question{" "}
            <input
              value={question}
              required
              onChange={(event) => setQuestion(event.target.value)}
            />
          </label>
        </p>
        <button>Ask</button>{" "}
        <button type="button" onClick={stop}>
          Stop
        </button>
      </form>
      <h2 id="answer">Answer</h2>
      <output aria-labelledby="answer" aria-busy={answering}>
        {text}
      </output>
      {error && <p role="alert">{error.message}</p>}
    </>
  );
}

function dataUrl(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
