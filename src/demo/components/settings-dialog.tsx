import { closeDialog } from "../dialogs.ts";
import { change, DEFAULTS, settings, THEMES } from "../settings.ts";
import { Dialog } from "./dialog.tsx";

export function SettingsDialog() {
  return (
    <Dialog name="settings" title="Settings">
      <SettingsForm />
    </Dialog>
  );
}

/** A change applies at once, to the next answer. */
function SettingsForm() {
  const { maxTokens, temperature, systemPrompt, theme } = settings.value;
  return (
    <form class="dialog-body" onSubmit={(event) => event.preventDefault()}>
      <label class="setting column">
        <span>System prompt</span>
        <textarea
          class="field"
          rows={3}
          placeholder="None"
          value={systemPrompt}
          onInput={(event) => change({ systemPrompt: event.currentTarget.value })}
        />
      </label>
      <label class="setting">
        <span>
          Temperature
          <small>0 always takes the likeliest word</small>
        </span>
        <span class="range">
          <input
            type="range"
            min={0}
            max={2}
            step={0.1}
            value={temperature}
            onInput={(event) => change({ temperature: event.currentTarget.valueAsNumber })}
          />
          <span class="range-value">{temperature.toFixed(1)}</span>
        </span>
      </label>
      <label class="setting">
        <span>
          Longest answer
          <small>in tokens, about ¾ of a word each</small>
        </span>
        <input
          type="number"
          class="field short"
          min={1}
          max={8192}
          step={1}
          value={maxTokens}
          onChange={(event) => {
            const { valueAsNumber, validity } = event.currentTarget;
            if (validity.valid && valueAsNumber > 0) change({ maxTokens: valueAsNumber });
            else event.currentTarget.value = String(maxTokens);
          }}
        />
      </label>
      <fieldset class="setting">
        <legend>Appearance</legend>
        <span class="segments">
          {THEMES.map((name) => (
            <label key={name}>
              <input
                type="radio"
                name="theme"
                checked={theme === name}
                onChange={() => change({ theme: name })}
              />
              <span>{name}</span>
            </label>
          ))}
        </span>
      </fieldset>
      <div class="actions end">
        <button type="button" onClick={() => change(DEFAULTS)}>
          Reset
        </button>
        <button type="button" class="primary" onClick={closeDialog}>
          Done
        </button>
      </div>
    </form>
  );
}
