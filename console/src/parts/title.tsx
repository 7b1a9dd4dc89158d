import { useEffect, useRef } from "preact/hooks";
import { texts } from "../texts/index.ts";

/** The first view of a page that was just opened leaves the focus where a browser puts it. */
let isFirst = true;

/** A view's heading: what a screen reader says when one has come there, and what the tab is called. */
export function Title({ children: title }: { children: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!isFirst) heading.current?.focus({ preventScroll: true });
    isFirst = false;
  }, []);
  useEffect(() => {
    document.title = `${title} – ${texts.value.page.title}`;
  }, [title]);
  return (
    <h1 ref={heading} tabIndex={-1}>
      {title}
    </h1>
  );
}
