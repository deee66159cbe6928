import { SAMPLE } from "../catalogue.ts";
import { model } from "../model.ts";
import { fetchSnippet, openaiSnippet } from "../snippets.ts";
import { CopyButton } from "./copy-button.tsx";
import { Dialog } from "./dialog.tsx";

export function CodeDialog() {
  const source = model.value.status === "none" ? SAMPLE : model.value.source;
  return (
    <Dialog name="code" title="Use it from code">
      <div class="dialog-body">
        <p class="hint">
          This page talks to its model through OpenAI's API, and so can yours. Nothing leaves the
          browser: there is no server behind these calls.
        </p>
        <Snippet title="With fetch" code={fetchSnippet(source)} />
        <Snippet title="With the OpenAI SDK" code={openaiSnippet(source)} />
      </div>
    </Dialog>
  );
}

function Snippet({ title, code }: { title: string; code: string }) {
  return (
    <section class="snippet" aria-label={title}>
      <div class="snippet-header">
        <h3>{title}</h3>
        <CopyButton text={() => code} label="Copy code" />
      </div>
      <pre tabIndex={0}>
        <code>{code}</code>
      </pre>
    </section>
  );
}
