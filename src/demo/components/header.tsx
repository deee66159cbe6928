import { nameOf } from "../catalogue.ts";
import { newChat, turns } from "../chat.ts";
import { focusBox } from "../compose.ts";
import { show } from "../dialogs.ts";
import { model, type ModelState } from "../model.ts";
import { dark, toggleTheme } from "../theme.ts";
import { ChevronIcon, CodeIcon, MoonIcon, NewChatIcon, SlidersIcon, SunIcon } from "./icons.tsx";

export function Header() {
  return (
    <header class="header">
      <h1 class="brand">
        <img src="./favicon.svg" alt="" width="26" height="26" />
        <span>WebVLM</span>
      </h1>
      <ModelButton state={model.value} />
      <nav class="tools" aria-label="Tools">
        <button
          type="button"
          class="tool"
          disabled={turns.value.length === 0}
          onClick={() => {
            newChat();
            focusBox();
          }}
        >
          <NewChatIcon />
          <span>New chat</span>
        </button>
        <button type="button" class="tool" onClick={show("code")}>
          <CodeIcon />
          <span>Use it from code</span>
        </button>
        <button type="button" class="icon-button" aria-label="Settings" onClick={show("settings")}>
          <SlidersIcon />
        </button>
        <button
          type="button"
          class="icon-button"
          aria-label={dark.value ? "Switch to light theme" : "Switch to dark theme"}
          onClick={toggleTheme}
        >
          {dark.value ? <SunIcon /> : <MoonIcon />}
        </button>
      </nav>
    </header>
  );
}

function ModelButton({ state }: { state: ModelState }) {
  const name = state.status === "none" ? "Choose a model" : nameOf(state.source);
  return (
    <button
      type="button"
      class="model-button"
      data-status={state.status}
      aria-haspopup="dialog"
      aria-label={`Model: ${name}`}
      onClick={show("model")}
    >
      <span class="dot" />
      <span class="model-name">{name}</span>
      <ChevronIcon />
    </button>
  );
}
