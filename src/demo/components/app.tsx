import { useEffect } from "preact/hooks";
import { stop, turns } from "../chat.ts";
import { addFiles } from "../compose.ts";
import { openDialog } from "../dialogs.ts";
import { notice } from "../notice.ts";
import { CodeDialog } from "./code-dialog.tsx";
import { Composer } from "./composer.tsx";
import { Conversation } from "./conversation.tsx";
import { DropOverlay } from "./drop-overlay.tsx";
import { Header } from "./header.tsx";
import { LoadCard } from "./load-card.tsx";
import { ModelDialog } from "./model-dialog.tsx";
import { ModelStatus } from "./model-status.tsx";
import { SettingsDialog } from "./settings-dialog.tsx";
import { StorageDialog } from "./storage-dialog.tsx";
import { Welcome } from "./welcome.tsx";

export function App() {
  useEffect(() => {
    document.addEventListener("keydown", stopOnEscape);
    document.addEventListener("paste", addPastedImages);
    return () => {
      document.removeEventListener("keydown", stopOnEscape);
      document.removeEventListener("paste", addPastedImages);
    };
  }, []);
  return (
    <>
      <Header />
      <main>{turns.value.length > 0 ? <Conversation /> : <Welcome />}</main>
      <footer class="dock">
        <LoadCard />
        <Composer />
        <ModelStatus />
      </footer>
      <p class="notice" aria-live="polite">
        {notice}
      </p>
      <DropOverlay />
      <ModelDialog />
      <SettingsDialog />
      <CodeDialog />
      <StorageDialog />
    </>
  );
}

function stopOnEscape(event: KeyboardEvent): void {
  if (event.key === "Escape" && !openDialog.value && !event.isComposing) stop();
}

function addPastedImages(event: ClipboardEvent): void {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length === 0 || openDialog.value) return;
  event.preventDefault();
  void addFiles(files);
}
