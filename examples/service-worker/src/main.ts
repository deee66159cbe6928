import { load, serveOrigin } from "webvlm";
import "./questions.ts";

/** A path, a URL, or a name on the Hugging Face Hub. This model knows simple drawings only. */
const MODEL = "/models/sample";

const status = document.querySelector("[role=status]")!;

try {
  await navigator.serviceWorker.register("/service-worker.js", { type: "module" });
  const server = await serveOrigin(loadModel, { onOwner: showRole });
  if (!server.owner)
    status.textContent = "Another tab has the model. This tab takes over when that one closes.";
} catch (error) {
  status.textContent = "";
  document.querySelector("[role=alert]")!.textContent = (error as Error).message;
}

/** Called only in the tab that answers. */
function loadModel() {
  status.textContent = "Loading the model…";
  return load(MODEL, {
    onProgress({ loadedBytes, totalBytes }) {
      const percent = Math.floor((100 * loadedBytes) / (totalBytes || 1));
      status.textContent = `Loading the model: ${percent} %`;
    },
  });
}

function showRole() {
  status.textContent = "This tab has the model.";
}
