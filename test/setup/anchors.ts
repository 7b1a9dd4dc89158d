/** What can stand behind the # of a link to a Markdown page: its headings as GitHub names them, and names set by hand. */
export function anchorsOf(page: string): Set<string> {
  const text = page.replaceAll(/^```.*?^```$/gms, "");
  const headings = [...text.matchAll(/^#+ +(.+)$/gm)].map(([, heading = ""]) => slug(heading));
  const byHand = [...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, name = ""]) => name);
  return new Set([...headings, ...byHand]);
}

function slug(heading: string): string {
  const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
  return words.replaceAll(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-");
}
