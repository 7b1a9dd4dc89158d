import type { ComponentChildren } from "preact";
import type { Loaded } from "../state/loading.ts";
import { texts } from "../texts/index.ts";

/** What was loaded, or that it is being loaded, or why it could not be. */
export function Show<Answer>({
  loaded: { data, error },
  children,
}: {
  loaded: Loaded<Answer>;
  children: (data: Answer) => ComponentChildren;
}) {
  const { page } = texts.value;
  return (
    <>
      {error !== undefined && (
        <p class="problem" role="alert">
          {page.failed(error)}
        </p>
      )}
      {data === undefined ? error === undefined && <p class="quiet">{page.loading}</p> : children(data)}
    </>
  );
}
