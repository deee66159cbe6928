import { useId, useRef } from "preact/hooks";
import { draft, focusBox, move, place, remove } from "../compose.ts";
import { placedIn } from "../draft.ts";
import { CloseIcon } from "./icons.tsx";

/** Not a file, so that dragging a thumbnail does not look like dropping a new picture. */
const DRAGGED = "application/x-webvlm-picture";

/** The pictures of the draft, numbered; dragging or the arrow keys reorder them. */
export function Tray() {
  const list = useRef<HTMLUListElement>(null);
  const hint = useId();
  const { pictures, text } = draft.value;
  if (pictures.length === 0) return null;
  const placed = placedIn(draft.value);

  const focusThumbnail = (index: number) => {
    const buttons = list.current?.querySelectorAll<HTMLElement>(".thumbnail-picture") ?? [];
    const next = buttons[Math.min(index, buttons.length - 1)];
    if (next) next.focus();
    else focusBox();
  };
  const afterRender = (act: () => void) => requestAnimationFrame(act);

  return (
    <div class="tray">
      <ul ref={list} aria-label="Pictures of this message">
        {pictures.map((picture, index) => (
          <li
            key={`${index} ${picture.name}`}
            class={placed.has(index) ? "thumbnail placed" : "thumbnail"}
            draggable
            onDragStart={(event) => event.dataTransfer?.setData(DRAGGED, String(index))}
            onDragOver={(event) => {
              if (event.dataTransfer?.types.includes(DRAGGED)) event.preventDefault();
            }}
            onDrop={(event) => {
              const from = event.dataTransfer?.getData(DRAGGED);
              if (from) move(Number(from), index);
            }}
          >
            <button
              type="button"
              class="thumbnail-picture"
              aria-label={`Picture ${index + 1}, ${picture.name}: put at the cursor`}
              aria-describedby={hint}
              title={`${picture.name}\nClick to put it at the cursor`}
              onClick={() => place(index)}
              onKeyDown={(event) => {
                if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
                const to = index + (event.key === "ArrowLeft" ? -1 : 1);
                if (!pictures[to]) return;
                event.preventDefault();
                move(index, to);
                afterRender(() => focusThumbnail(to));
              }}
            >
              <img src={picture.url} alt={picture.name} draggable={false} />
              <span class="thumbnail-number">{index + 1}</span>
            </button>
            <button
              type="button"
              class="thumbnail-remove"
              aria-label={`Remove ${picture.name}, picture ${index + 1}`}
              onClick={() => {
                remove(index);
                afterRender(() => focusThumbnail(index));
              }}
            >
              <CloseIcon />
            </button>
          </li>
        ))}
      </ul>
      <p id={hint} class={text.trim() ? "tray-hint" : "visually-hidden"}>
        {hintFor(pictures.length, placed.size)}{" "}
        <span class="visually-hidden">The left and right arrow keys reorder the pictures.</span>
      </p>
    </div>
  );
}

function hintFor(count: number, placed: number): string {
  if (placed === 0) return "Sent before the text. Click one to put it at the cursor.";
  if (placed < count) return "Sent where the text names them, the others before it.";
  return "Sent where the text names them.";
}
