import { signal } from "@preact/signals";

export type DialogName = "model" | "settings" | "code";

/** The dialog that is open; there is at most one. */
export const openDialog = signal<DialogName | undefined>(undefined);

export const show = (name: DialogName) => () => {
  openDialog.value = name;
};

export function closeDialog(): void {
  openDialog.value = undefined;
}
