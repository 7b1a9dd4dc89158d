import { useEffect } from "preact/hooks";
import { ConnectionBanner } from "./parts/connection-banner.tsx";
import { Notices } from "./parts/notices.tsx";
import { connection } from "./state/live.ts";
import { linkTo, route } from "./state/route.ts";
import { session, sessionProblem } from "./state/session.ts";
import { texts } from "./texts/index.ts";
import { Alerts } from "./views/alerts.tsx";
import { Charts } from "./views/charts.tsx";
import { Chats } from "./views/chats.tsx";
import { Conversation } from "./views/conversation.tsx";
import { Login } from "./views/login.tsx";
import { Message } from "./views/message.tsx";
import { Messages } from "./views/messages.tsx";
import { Now } from "./views/now.tsx";
import { Relink } from "./views/relink.tsx";
import { Replies } from "./views/replies.tsx";
import { Settings } from "./views/settings.tsx";

const VIEWS = ["now", "charts", "messages", "chats", "alerts", "settings"] as const;

/** Those of which one is shown by its number. */
const NUMBERED = ["messages", "chats"];

export function App() {
  return (
    <>
      <SkipLink />
      <Header />
      <ConnectionBanner />
      <main id="main" tabIndex={-1} class={connection.value.state === "lost" ? "old" : ""}>
        <Content />
      </main>
      <Notices />
    </>
  );
}

/** No link to a fragment: what stands behind the # is where one is. */
function SkipLink() {
  return (
    <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
      {texts.value.page.skip}
    </button>
  );
}

function Header() {
  const { nav, page } = texts.value;
  const { view } = route.value;
  return (
    <header>
      <span class="brand">{page.title}</span>
      {session.value && (
        <nav aria-label={page.menu}>
          <ul>
            {VIEWS.map((name) => (
              <li key={name}>
                <a href={linkTo(name)} aria-current={view === name ? "page" : undefined}>
                  {nav[name]}
                </a>
              </li>
            ))}
          </ul>
        </nav>
      )}
    </header>
  );
}

function Connecting() {
  const { connection, page } = texts.value;
  const why = sessionProblem.value;
  if (why === null) return <p class="quiet">{connection.connecting}</p>;
  return (
    <p class="problem" role="alert">
      {page.failed(why)} {connection.again}
    </p>
  );
}

function Content() {
  const { view, id } = route.value;
  // Whoever reads by a screen reader begins at the top of what is new; a link within a list keeps its place.
  useEffect(() => {
    window.scrollTo(0, 0);
  }, [view, id]);
  if (session.value === undefined) return <Connecting />;
  if (session.value === null) return <Login />;
  if (id !== null && NUMBERED.includes(view) && !/^\d{1,15}$/.test(id)) return <p>{texts.value.page.notFound}</p>;
  const number = Number(id);
  switch (view) {
    case "now":
      return <Now />;
    case "charts":
      return <Charts />;
    case "messages":
      return id === null ? <Messages /> : <Message key={number} id={number} />;
    case "replies":
      return <Replies />;
    case "chats":
      return id === null ? <Chats /> : <Conversation key={number} chat={number} />;
    case "alerts":
      return <Alerts />;
    case "settings":
      return <Settings />;
    case "relink":
      return <Relink key={id ?? ""} wanted={id} />;
    default:
      return <p>{texts.value.page.notFound}</p>;
  }
}
