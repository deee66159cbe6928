import { signal } from "@preact/signals";

export type DialogName = "model" | "settings" | "code" | "storage";

/** The open dialog, if any. */
export const openDialog = signal<DialogName | undefined>(undefined);

export const show = (name: DialogName) => () => {
  openDialog.value = name;
};

export function closeDialog(): void {
  openDialog.value = undefined;
}
