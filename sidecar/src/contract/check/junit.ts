import type { Report } from "./run.ts";

/** The report as CI servers read it (the JUnit format, as Jenkins and GitLab take it). */
export function toJunit({ url, at, checks }: Report): string {
  const of = (status: string) => checks.filter((check) => check.status === status).length;
  const seconds = (ms: number) => (ms / 1_000).toFixed(3);
  const cases = checks.map(({ name, rule, status, seen, todo, durationMs }) => {
    const head = `<testcase classname="hotbags.contract" name="${xml(`${name}: ${rule}`)}" time="${seconds(durationMs)}">`;
    const body = {
      passed: `<system-out>${xml(seen)}</system-out>`,
      failed: `<failure message="${xml(seen)}">${xml(todo ?? "")}</failure>`,
      skipped: `<skipped message="${xml(seen)}"/>`,
    }[status];
    return `    ${head}${body}</testcase>`;
  });
  const total = seconds(checks.reduce((sum, { durationMs }) => sum + durationMs, 0));
  const counts = `tests="${checks.length}" failures="${of("failed")}" skipped="${of("skipped")}" errors="0"`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="${xml(`hotbags contract check ${url}`)}" timestamp="${at}" time="${total}" ${counts}>
${cases.join("\n")}
  </testsuite>
</testsuites>
`;
}

function xml(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 has no way to write them.
  const allowed = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd");
  return allowed.replace(/[&<>"\t\r\n]/g, (character) => `&#${character.charCodeAt(0)};`);
}
