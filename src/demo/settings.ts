import { effect, signal } from "@preact/signals";
import { QUANTIZATIONS, type QuantizationName } from "../index.ts";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

export interface Settings {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly systemPrompt: string;
  readonly quantization: QuantizationName;
  readonly theme: Theme;
}

export const DEFAULTS: Settings = {
  maxTokens: 300,
  temperature: 0,
  systemPrompt: "",
  quantization: "auto",
  theme: "system",
};

const KEY = "webvlm.settings";

/** Reads saved settings. A missing or invalid field gets its default. */
export function parseSettings(json: string | null): Settings {
  const saved = fieldsOf(json);
  return {
    maxTokens: numberIn(saved.maxTokens, 1, 8192, DEFAULTS.maxTokens),
    temperature: numberIn(saved.temperature, 0, 2, DEFAULTS.temperature),
    systemPrompt: typeof saved.systemPrompt === "string" ? saved.systemPrompt : "",
    quantization: QUANTIZATIONS.find((q) => q === saved.quantization) ?? DEFAULTS.quantization,
    theme: THEMES.find((t) => t === saved.theme) ?? DEFAULTS.theme,
  };
}

function fieldsOf(json: string | null): Partial<Record<keyof Settings, unknown>> {
  try {
    return Object(JSON.parse(json ?? "{}")) as Partial<Record<keyof Settings, unknown>>;
  } catch {
    return {}; // Not written by this page.
  }
}

function numberIn(value: unknown, least: number, most: number, otherwise: number): number {
  return typeof value === "number" && value >= least && value <= most ? value : otherwise;
}

export const settings = signal<Settings>(DEFAULTS);

export function change(fields: Partial<Settings>): void {
  settings.value = { ...settings.value, ...fields };
}

/** Restores the settings of earlier visits. From then on saves every change, and applies the theme. */
export function rememberSettings(): void {
  settings.value = parseSettings(attempt(() => localStorage.getItem(KEY)) ?? null);
  effect(() => {
    const { theme } = settings.value;
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    const json = JSON.stringify(settings.value);
    attempt(() => localStorage.setItem(KEY, json));
  });
}

/** The browser may forbid storage. The page then works without saved settings. */
function attempt<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch {
    return undefined;
  }
}
