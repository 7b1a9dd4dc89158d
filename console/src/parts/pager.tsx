import { goTo, linkTo } from "../state/route.ts";
import { texts } from "../texts/index.ts";

interface PagerProps {
  view: string;
  id?: string | number | null;
  query: Record<string, string>;
  next: number | null;
}

/** To older ones and back to the newest. The browser's own "back" is the page before. */
export function Pager({ view, id = null, query, next }: PagerProps) {
  const { messages } = texts.value;
  const { before, ...rest } = query;
  if (next === null && !before) return null;
  return (
    <div class="row pager">
      {before && (
        <a class="button" href={linkTo(view, id, rest)}>
          {messages.newest}
        </a>
      )}
      {next !== null && (
        <button type="button" onClick={() => goTo(linkTo(view, id, { ...rest, before: next }))}>
          {messages.older}
        </button>
      )}
    </div>
  );
}
