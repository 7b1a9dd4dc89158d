import { signal } from "@preact/signals";

// Where one is stands behind the # of the address: it survives a reload and an expired session, and no server has to know it.

export interface Route {
  view: string;
  /** Of what is shown: a message's or a chat's number, an account. */
  id: string | null;
  query: URLSearchParams;
}

export const route = signal<Route>(read());

/** Where one was is kept beside the address, too: a login link in the same tab replaces that. */
const KEPT = "hotbags-route";

window.addEventListener("hashchange", () => {
  if (!location.hash.startsWith("#/")) return;
  route.value = read();
  sessionStorage.setItem(KEPT, location.hash);
});

function read(): Route {
  const [place = "", search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", id = null] = place.split("/");
  return {
    view: view === "" || view.includes("=") ? "now" : view,
    id: id === null ? null : decoded(id),
    query: new URLSearchParams(search),
  };
}

/** Whoever writes an address by hand, or loses its end, still gets a page. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a view, as a link has it. Empty ones are left out of the query. */
export function linkTo(view: string, id?: string | number | null, query: Record<string, string | number> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  const place = id === undefined || id === null ? view : `${view}/${encodeURIComponent(id)}`;
  return given.length > 0 ? `#/${place}?${search}` : `#/${place}`;
}

export function goTo(link: string): void {
  location.hash = link;
}

/** Takes the token of a one-time link out of the address, before anything else can read it there. */
export function takeLoginToken(): string | null {
  const token = /^#login=(.+)$/.exec(location.hash)?.[1] ?? null;
  if (token !== null) {
    history.replaceState(null, "", sessionStorage.getItem(KEPT) ?? "#/now");
    route.value = read();
  }
  return token;
}
