import { load } from "webvlm";

/** A path, a URL, or a name on the Hugging Face Hub. This model knows simple drawings only. */
const MODEL = "./models/sample";

const form = document.querySelector("form");
const image = document.querySelector("input");
const preview = document.querySelector("img");
const progress = document.querySelector("progress");
const output = document.querySelector("output");
const status = document.querySelector("[role=status]");
const problem = document.querySelector("[role=alert]");

/** The first question loads the model. A visitor who asks nothing downloads nothing. */
let vlm;

/** Stops the running download or answer. */
let running;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  running?.abort();
  running = new AbortController();
  await ask(new FormData(form).get("question"), running.signal);
});

document.querySelector("#stop").addEventListener("click", () => running?.abort());

image.addEventListener("change", () => {
  URL.revokeObjectURL(preview.src);
  const [file] = image.files;
  preview.hidden = !file;
  preview.src = file ? URL.createObjectURL(file) : "";
});

async function ask(question, signal) {
  output.textContent = "";
  problem.textContent = "";
  try {
    vlm ??= await loadModel(signal);
    status.textContent = "Answering…";
    output.ariaBusy = "true";
    const content = [
      { type: "image_url", image_url: { url: preview.src } },
      { type: "text", text: question },
    ];
    const chunks = vlm.stream({ messages: [{ role: "user", content }] }, { signal });
    for await (const { choices } of chunks) {
      output.textContent += choices[0]?.delta.content ?? "";
    }
    status.textContent = "";
  } catch (error) {
    // A newer question has its own status. Only the Stop button leaves this one current.
    if (signal === running.signal) status.textContent = signal.aborted ? "Stopped." : "";
    if (!signal.aborted) problem.textContent = error.message;
  } finally {
    if (signal === running.signal) output.ariaBusy = "false";
  }
}

async function loadModel(signal) {
  status.textContent = "Loading the model…";
  progress.hidden = false;
  progress.removeAttribute("value");
  try {
    return await load(MODEL, {
      signal,
      onProgress({ loadedBytes, totalBytes }) {
        if (totalBytes > 0) progress.value = loadedBytes / totalBytes;
      },
    });
  } finally {
    if (signal === running.signal) progress.hidden = true;
  }
}
