import { signal } from "@preact/signals";
import { texts } from "../texts/index.ts";

interface Notice {
  id: number;
  kind: "done" | "problem";
  text: string;
}

const notices = signal<Notice[]>([]);
let last = 0;

/** What came of an act. It stays until it is closed, or three newer ones have come. */
export function note(kind: Notice["kind"], text: string): void {
  last += 1;
  notices.value = [...notices.value, { id: last, kind, text }].slice(-3);
}

export function Notices() {
  const close = (id: number) => {
    notices.value = notices.value.filter((one) => one.id !== id);
  };
  return (
    <section class="notices" role="status" aria-label={texts.value.act.results}>
      {notices.value.map(({ id, kind, text }) => (
        <div key={id} class={`notice ${kind}`}>
          <p>{text}</p>
          <button type="button" class="plain" aria-label={texts.value.page.close} onClick={() => close(id)}>
            ✕
          </button>
        </div>
      ))}
    </section>
  );
}
