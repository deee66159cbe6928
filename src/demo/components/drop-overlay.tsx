import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { takeDrop } from "../folders.ts";
import { ImageIcon } from "./icons.tsx";

/** Accepts files dropped anywhere on the page. Visible while files are dragged over it. */
export function DropOverlay() {
  const hovering = useSignal(false);

  useEffect(() => {
    const listeners = new AbortController();
    const listen = (type: "dragenter" | "dragover" | "dragleave" | "drop", on: Listener) =>
      window.addEventListener(type, (event) => hasFiles(event) && on(event), listeners);
    listen("dragenter", () => (hovering.value = true));
    listen("dragover", (event) => event.preventDefault());
    // A drag that leaves the window has no related target.
    listen("dragleave", (event) => (hovering.value = event.relatedTarget !== null));
    listen("drop", (event) => {
      event.preventDefault();
      hovering.value = false;
      void takeDrop(event.dataTransfer);
    });
    return () => listeners.abort();
  }, []);

  if (!hovering.value) return null;
  return (
    <div class="drop-overlay" aria-hidden="true">
      <div class="drop-target">
        <ImageIcon />
        Drop images, or a model's folder
      </div>
    </div>
  );
}

type Listener = (event: DragEvent) => void;

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}
