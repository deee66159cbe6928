import { computed, signal } from "@preact/signals";
import { change, settings } from "./settings.ts";

const query = matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(query.matches);
query.addEventListener("change", () => (systemIsDark.value = query.matches));

/** Whether the page is dark now, by the user's choice or the system's. */
export const dark = computed(() => {
  const { theme } = settings.value;
  return theme === "system" ? systemIsDark.value : theme === "dark";
});

export function toggleTheme(): void {
  change({ theme: dark.value ? "light" : "dark" });
}
