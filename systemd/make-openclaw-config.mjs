// make-openclaw-config.mjs <openclaw.json.example> <numbers, separated by commas>: the configuration of a fresh installation, on standard
// output: the example, comments and all, with what is marked CHANGE there changed. Stops where the example has not what it looks for.
import { readFileSync } from "node:fs";

const [example, numbers] = process.argv.slice(2);
const allowed = JSON.stringify(numbers.split(",").map((number) => number.trim()));
for (const number of JSON.parse(allowed))
  if (!/^(\+[1-9]\d{6,14}|\*)$/.test(number)) throw new Error(`${number} is no number in E.164, such as +15550001`);
const everybody = allowed === '["*"]';

let text = readFileSync(example, "utf8");
change(/^( *)dmPolicy: "allowlist",/m, `$1dmPolicy: "${everybody ? "open" : "allowlist"}",`);
change(/^( *)allowFrom: \["\+.*\],/m, `$1allowFrom: ${allowed},`);
// Groups stay out until somebody names them here: no list, or an empty one, would let all of them in.
change(/^( *)groupPolicy: "allowlist",/m, '$1groupPolicy: "disabled",');
change(/^( *)groupAllowFrom: \["\+.*\],/m, `$1groupAllowFrom: ${allowed},`);
change(/^( *)sidecarUrl: "ws:\/\/127\.0\.0\.1:18790",/m, '$1sidecarUrl: "unix:/run/hotbags/bridge.sock",');
process.stdout.write(text);

function change(what, into) {
  if (!what.test(text)) throw new Error(`there is no ${what} in ${example}`);
  text = text.replace(what, into);
}
