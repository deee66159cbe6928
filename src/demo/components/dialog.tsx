import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { closeDialog, type DialogName, openDialog } from "../dialogs.ts";
import { CloseIcon } from "./icons.tsx";

interface Props {
  name: DialogName;
  title: string;
  children: ComponentChildren;
}

/** A modal dialog. The browser's `<dialog>` traps the focus, and restores it at the end. */
export function Dialog({ name, title, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const open = openDialog.value === name;

  useEffect(() => {
    if (open) ref.current?.showModal();
    else ref.current?.close();
  }, [open]);

  return (
    <dialog
      ref={ref}
      class="dialog"
      aria-labelledby={heading}
      autofocus
      onClose={() => open && closeDialog()}
      onClick={(event) => event.target === ref.current && closeDialog()}
    >
      {open && (
        <div class="dialog-sheet">
          <header class="dialog-header">
            <h2 id={heading}>{title}</h2>
            <button type="button" class="icon-button" aria-label="Close" onClick={closeDialog}>
              <CloseIcon />
            </button>
          </header>
          {children}
        </div>
      )}
    </dialog>
  );
}
