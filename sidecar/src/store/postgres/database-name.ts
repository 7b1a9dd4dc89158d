/** What people call a database, and a move knows it by: without a user or a password. */
export function nameOf(url: string): string {
  const { hostname, host, pathname, searchParams } = parsed(url);
  const inQuery = searchParams.get("host");
  return `postgres://${inQuery ?? (hostname === NO_HOST ? "" : decodeURIComponent(host))}${pathname}`;
}

/** Node-postgres lets the host be empty behind a user, where that of a socket is in the query. */
function parsed(url: string): URL {
  return URL.parse(url) ?? new URL(url.replace("@/", `@${NO_HOST}/`));
}

const NO_HOST = "in-the-query";
