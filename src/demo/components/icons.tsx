import type { ComponentChildren } from "preact";

/** A line drawing of 24 x 24. Its button has a name, so screen readers skip the drawing. */
function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

const drawn = (path: string) =>
  function Drawn() {
    return (
      <Icon>
        <path d={path} />
      </Icon>
    );
  };

export const SendIcon = drawn("M12 19V5m-6 6 6-6 6 6");
export const StopIcon = drawn("M8 8h8v8H8z");
export const CloseIcon = drawn("m7 7 10 10M17 7 7 17");
export const ChevronIcon = drawn("m8 10 4 4 4-4");
export const DownIcon = drawn("M12 5v14m-6-6 6 6 6-6");
export const CheckIcon = drawn("m5 13 4 4L19 7");
export const CodeIcon = drawn("m9 7-5 5 5 5m6-10 5 5-5 5");
export const NewChatIcon = drawn(
  "M12 4H7a3 3 0 0 0-3 3v10a3 3 0 0 0 3 3h10a3 3 0 0 0 3-3v-5m-9.5 1.5L19 5m-9 9 .5-3",
);
export const AgainIcon = drawn("M19 12a7 7 0 1 1-2-4.9L19 9m0-5v5h-5");
export const CopyIcon = drawn(
  "M9 9h8a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-6a2 2 0 0 1-2-2V9Zm6 0V6a2 2 0 0 0-2-2H7a2 2 0 0 0-2 2v7a2 2 0 0 0 2 2h2",
);
export const ImageIcon = drawn(
  "M6 4h12a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2Zm-2 12 4.5-4.5L17 20m-3-4 2-2 4 3.5M15.5 8.5h.01",
);
export const MoonIcon = drawn("M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5Z");
export const SunIcon = drawn(
  "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Zm0-5v1.5m0 15V21M3 12h1.5m15 0H21M5.6 5.6l1.1 1.1m10.6 10.6 1.1 1.1m0-12.8-1.1 1.1M6.7 17.3l-1.1 1.1",
);
export const SlidersIcon = drawn("M4 8h9m4 0h3M4 16h3m4 0h9M15 6v4M9 14v4");
