import { ask } from "./ask.ts";

/** A form that asks the origin's model. Tabs and frames share this script. */
const form = document.querySelector("form")!;
const image = document.querySelector("img")!;
const output = document.querySelector("output")!;
const problem = document.querySelector("[role=alert]")!;
const [, stop] = form.querySelectorAll("button");

let running: AbortController | undefined;

form.addEventListener("change", () => {
  image.src = `/images/${new FormData(form).get("image")}`;
});

stop?.addEventListener("click", () => running?.abort());

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  running?.abort();
  const { signal } = (running = new AbortController());
  const question = String(new FormData(form).get("question"));
  output.textContent = "";
  problem.textContent = "";
  output.ariaBusy = "true";
  try {
    for await (const text of ask(image.src, question, signal)) output.textContent += text;
  } catch (error) {
    if (!signal.aborted) problem.textContent = (error as Error).message;
  } finally {
    if (signal === running.signal) output.ariaBusy = "false";
  }
});
