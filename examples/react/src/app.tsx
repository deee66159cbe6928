import { Questions } from "./questions.tsx";
import { useModel } from "./use-model.ts";

/** A path, a URL, or a name on the Hugging Face Hub. This model knows simple drawings only. */
const MODEL = "/models/sample";

export function App() {
  const model = useModel(MODEL);
  return (
    <main>
      <h1>Ask about an image</h1>
      {model.status === "loading" && (
        <label>
          Loading the model…{" "}
          <progress max={model.progress?.totalBytes || 1} value={model.progress?.loadedBytes} />
        </label>
      )}
      {model.status === "failed" && (
        <p role="alert">
          {model.error.message} <button onClick={model.retry}>Try again</button>
        </p>
      )}
      {model.status === "ready" && <Questions vlm={model.vlm} />}
    </main>
  );
}
