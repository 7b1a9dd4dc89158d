/** What was observed at one failpoint. */
export interface Row {
  point: string;
  /** What had been done when the process was killed. */
  meaning: string;
  posts: number;
  accepted: number;
  replies: number;
}

/** The rows as the Markdown table of docs/guarantees.md. */
export function drawTable(rows: Row[]): string {
  const head =
    "| killed at | that is | POSTs | messages at Hot Bags | replies on the phone | outcome |\n|---|---|---|---|---|---|";
  const lines = rows.map(
    (row) =>
      `| \`${row.point}\` | ${row.meaning} | ${row.posts} | ${row.accepted} | ${row.replies} | ${promiseKept(row)} |`,
  );
  return [head, ...lines].join("\n");
}

function promiseKept({ accepted, replies }: Row): string {
  if (accepted === 1 && replies === 1) return "exactly once";
  if (accepted === 1 && replies === 0) return "reply in doubt";
  return "BROKEN";
}
