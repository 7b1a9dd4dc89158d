#!/usr/bin/env -S node --
// `--`: without it Node takes --env-file for its own, wherever it stands, and says "not found" with code 9 where it can't be read.
// Nothing else is imported before the version is known: on an older Node better-sqlite3 ends the process without a word.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if ((major === 24 && minor >= 16) || (major === 26 && minor >= 1) || major > 26) {
  const { main } = await import("./cli/main.ts");
  process.exitCode = await main(process.argv.slice(2), process.env);
} else {
  process.stderr.write(
    `hotbags needs Node 24.16 or newer (24.x), or 26.1 or newer (https://nodejs.org); this is ${process.version}. ` +
      "A clone has a fit one with it after npm run build: npm run -s hotbags -- <command>\n",
  );
  // EX_CONFIG: only a human can change it, so systemd is not to start it again and again.
  process.exitCode = 78;
}
