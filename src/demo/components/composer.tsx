import { useEffect, useRef } from "preact/hooks";
import { answering, stop } from "../chat.ts";
import { addFiles, box, draft, focusBox, submit } from "../compose.ts";
import { partsOf, runsOf } from "../draft.ts";
import { ImageIcon, SendIcon, StopIcon } from "./icons.tsx";
import { Tray } from "./tray.tsx";

export function Composer() {
  const files = useRef<HTMLInputElement>(null);

  useEffect(focusBox, []);

  return (
    <form
      class="composer"
      aria-label="Compose"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Tray />
      <MessageBox />
      <div class="composer-bar">
        <input
          ref={files}
          type="file"
          class="visually-hidden"
          accept="image/*"
          multiple
          tabIndex={-1}
          aria-label="Image files"
          onChange={(event) => {
            void addFiles(event.currentTarget.files ?? []);
            event.currentTarget.value = ""; // The same file can be chosen again.
          }}
        />
        <button type="button" class="tool" onClick={() => files.current?.click()}>
          <ImageIcon />
          <span>Add images</span>
        </button>
        <span class="keys">
          <kbd>Enter</kbd> sends, <kbd>Shift</kbd> <kbd>Enter</kbd> starts a line
        </span>
        <SendOrStop />
      </div>
    </form>
  );
}

/**
 * A text box with transparent text over a copy of its text. The copy sets the height, and shows image
 * markers as chips, which a text box can't do.
 */
function MessageBox() {
  const { text, images } = draft.value;
  return (
    <div class="message-box">
      <div class="message-copy" aria-hidden="true">
        {runsOf({ text, images }).map((run) =>
          run.image === undefined ? run.text : <Chip key={run.start} text={run.text} />,
        )}
        {"\n"}
      </div>
      <textarea
        ref={box}
        aria-label="Message"
        placeholder={images.length > 0 ? "Ask about it…" : "Add an image, and ask about it…"}
        rows={1}
        value={text}
        onInput={(event) => (draft.value = { ...draft.value, text: event.currentTarget.value })}
        onKeyDown={onKeyDown}
      />
    </div>
  );
}

/** A marker with the same characters as in the text box, so that the caret is at the right place. */
function Chip({ text }: { text: string }) {
  return (
    <mark>
      <i>[</i>
      {text.slice(1, -1)}
      <i>]</i>
    </mark>
  );
}

function onKeyDown(event: KeyboardEvent): void {
  if (event.isComposing) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    submit();
  } else if (event.key === "Backspace" || event.key === "Delete") {
    selectMarker(event.key === "Backspace");
  }
}

/** Selects the marker next to the caret, so that Backspace or Delete removes all of it. */
function selectMarker(backwards: boolean): void {
  const { selectionStart: caret, selectionEnd } = box.current!;
  if (caret !== selectionEnd) return;
  for (const run of runsOf(draft.value)) {
    const end = run.start + run.text.length;
    const bitten = backwards
      ? run.start < caret && caret <= end
      : run.start <= caret && caret < end;
    if (run.image !== undefined && bitten) box.current!.setSelectionRange(run.start, end);
  }
}

function SendOrStop() {
  if (answering.value) {
    return (
      <button
        type="button"
        class="send"
        aria-label="Stop"
        title="Stop (Esc)"
        onClick={() => {
          stop();
          focusBox();
        }}
      >
        <StopIcon />
      </button>
    );
  }
  return (
    <button
      type="submit"
      class="send"
      aria-label="Send"
      title="Send (Enter)"
      disabled={partsOf(draft.value).length === 0}
    >
      <SendIcon />
    </button>
  );
}
