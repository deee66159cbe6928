import { useSignal } from "@preact/signals";
import { say } from "../notice.ts";
import { CheckIcon, CopyIcon } from "./icons.tsx";

const CONFIRMED_MS = 1500;

/** @param text called at a click; returns the text to copy */
export function CopyButton({ text, label }: { text: () => string; label: string }) {
  const copied = useSignal(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      copied.value = true;
      setTimeout(() => (copied.value = false), CONFIRMED_MS);
    } catch {
      say("The browser did not allow copying.");
    }
  };
  return (
    <button
      type="button"
      class="icon-button small"
      aria-label={copied.value ? "Copied" : label}
      title={label}
      onClick={copy}
    >
      {copied.value ? <CheckIcon /> : <CopyIcon />}
    </button>
  );
}
