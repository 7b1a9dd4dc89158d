import { render } from "preact";
import "./style.css";
import { App } from "./app.tsx";
import { startLive } from "./state/live.ts";
import { takeLoginToken } from "./state/route.ts";
import { askSession, logIn, session } from "./state/session.ts";

const token = takeLoginToken();
const page = document.getElementById("page");
if (page !== null) render(<App />, page);
startLive();
void (token === null ? askUntilKnown() : logIn(token));

// A link can be opened in a tab that has the page already, and a session can be over when one comes back to it.
window.addEventListener("hashchange", () => {
  const another = takeLoginToken();
  if (another !== null) void logIn(another);
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void askSession();
});

/** How often the sidecar is asked while it can't be reached, ms. */
const AGAIN_MS = 2_000;

async function askUntilKnown(): Promise<void> {
  await askSession();
  if (session.value === undefined) setTimeout(() => void askUntilKnown(), AGAIN_MS);
}
