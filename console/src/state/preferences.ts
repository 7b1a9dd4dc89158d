import { effect, signal } from "@preact/signals";

// What one has chosen in this browser. Where nothing may be kept, it lasts as long as the page.

export type Theme = "auto" | "light" | "dark";
export type Language = "en" | "de";

export const theme = signal<Theme>(keptOf("hotbags-theme", ["auto", "light", "dark"]) ?? "auto");
export const language = signal<Language>(
  keptOf("hotbags-language", ["en", "de"]) ?? (navigator.language.toLowerCase().startsWith("de") ? "de" : "en"),
);

effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
  keep("hotbags-theme", theme.value);
});
effect(() => {
  document.documentElement.lang = language.value;
});

export function chooseLanguage(chosen: Language): void {
  language.value = chosen;
  keep("hotbags-language", chosen);
}

function keptOf<Value extends string>(name: string, values: readonly Value[]): Value | undefined {
  try {
    const kept = localStorage.getItem(name);
    return values.find((value) => value === kept);
  } catch {
    return undefined;
  }
}

function keep(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // A browser that keeps nothing.
  }
}
