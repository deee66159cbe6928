import { useId, useRef } from "preact/hooks";
import { draft, focusBox, move, placeAtCaret, remove } from "../compose.ts";
import { placedIn } from "../draft.ts";
import { CloseIcon } from "./icons.tsx";

/** A type of its own, so that dragging a thumbnail is not taken for dropping a new image. */
const DRAGGED = "application/x-webvlm-image";

/** The numbered images of the draft. Dragging or the arrow keys reorder them. */
export function Tray() {
  const list = useRef<HTMLUListElement>(null);
  const hint = useId();
  const { images, text } = draft.value;
  if (images.length === 0) return null;
  const placed = placedIn(draft.value);

  const focusThumbnail = (index: number) => {
    const buttons = list.current?.querySelectorAll<HTMLElement>(".thumbnail-image") ?? [];
    const next = buttons[Math.min(index, buttons.length - 1)];
    if (next) next.focus();
    else focusBox();
  };
  const afterRender = (act: () => void) => requestAnimationFrame(act);

  return (
    <div class="tray">
      <ul ref={list} aria-label="Images of this message">
        {images.map((image, index) => (
          <li
            key={`${index} ${image.name}`}
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
              class="thumbnail-image"
              aria-label={`Image ${index + 1}, ${image.name}: put at the cursor`}
              aria-describedby={hint}
              title={`${image.name}\nClick to put it at the cursor`}
              onClick={() => placeAtCaret(index)}
              onKeyDown={(event) => {
                if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
                const to = index + (event.key === "ArrowLeft" ? -1 : 1);
                if (!images[to]) return;
                event.preventDefault();
                move(index, to);
                afterRender(() => focusThumbnail(to));
              }}
            >
              <img src={image.url} alt={image.name} draggable={false} />
              <span class="thumbnail-number">{index + 1}</span>
            </button>
            <button
              type="button"
              class="thumbnail-remove"
              aria-label={`Remove ${image.name}, image ${index + 1}`}
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
        {hintFor(images.length, placed.size)}{" "}
        <span class="visually-hidden">The left and right arrow keys reorder the images.</span>
      </p>
    </div>
  );
}

function hintFor(count: number, placed: number): string {
  if (placed === 0) return "Sent before the text. Click one to put it at the cursor.";
  if (placed < count) return "Sent where the text names them, the others before it.";
  return "Sent where the text names them.";
}
