import { useRef } from "preact/hooks";
import { show } from "../dialogs.ts";
import { loadChosen, pickFolder, picksHandles } from "../folders.ts";

/** Loads a model from a folder of the user, and shows what is stored. */
export function FolderChoice() {
  const input = useRef<HTMLInputElement>(null);
  return (
    <div class="actions">
      <input
        ref={input}
        type="file"
        class="visually-hidden"
        tabIndex={-1}
        aria-label="Folder of a model"
        {...{ webkitdirectory: true }}
        onChange={(event) => loadChosen(event.currentTarget.files!)}
      />
      <button
        type="button"
        onClick={() => (picksHandles ? void pickFolder() : input.current?.click())}
      >
        Load a folder…
      </button>
      <button type="button" onClick={show("storage")}>
        Manage what is stored
      </button>
    </div>
  );
}
