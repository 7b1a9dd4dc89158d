import type { Config, ListedSession } from "../api/answers.ts";
import { api } from "../api/client.ts";
import { Act, problemOf } from "../parts/act.tsx";
import { Foreign } from "../parts/foreign.tsx";
import { Show } from "../parts/loading.tsx";
import { note } from "../parts/notices.tsx";
import { Title } from "../parts/title.tsx";
import { When } from "../parts/when.tsx";
import { useLoad } from "../state/loading.ts";
import { chooseLanguage, type Language, language, type Theme, theme } from "../state/preferences.ts";
import { linkTo } from "../state/route.ts";
import { canAct, logOut, session } from "../state/session.ts";
import { LANGUAGES, texts } from "../texts/index.ts";

export function Settings() {
  const { settings, page } = texts.value;
  const sessions = useLoad("sessions", api.sessions, true);
  const config = useLoad("config", api.config, true);
  return (
    <>
      <Title>{settings.title}</Title>
      <Browser />
      <section>
        <h2>{settings.sessions}</h2>
        <p>
          {page.byUser(session.value?.user ?? "")}. {!canAct.value && page.mayLook}{" "}
          <button type="button" onClick={() => void tryToLogOut()}>
            {settings.logOut}
          </button>
        </p>
        <Show loaded={sessions}>{(listed) => <Sessions sessions={listed.sessions} onTried={sessions.reload} />}</Show>
      </section>
      <section>
        <h2>{settings.accounts}</h2>
        <p>
          <a href={linkTo("relink")}>{texts.value.relink.title}</a>
        </p>
      </section>
      <section>
        <h2>{settings.sidecar}</h2>
        <p class="quiet">{settings.shownOnly}</p>
        <Show loaded={config}>{(all) => <SidecarSettings config={all} />}</Show>
      </section>
    </>
  );
}

/** Whoever leaves a browser that others use has to know that it did not work. */
async function tryToLogOut(): Promise<void> {
  try {
    await logOut();
  } catch (error) {
    note("problem", problemOf(error));
  }
}

function Browser() {
  const { settings } = texts.value;
  return (
    <section>
      <h2>{settings.here}</h2>
      <div class="row">
        <label>
          {settings.language}
          <select value={language.value} onChange={(event) => chooseLanguage(event.currentTarget.value as Language)}>
            {Object.entries(LANGUAGES).map(([code, { name }]) => (
              <option key={code} value={code} lang={code}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label>
          {settings.theme}
          <select
            value={theme.value}
            onChange={(event) => {
              theme.value = event.currentTarget.value as Theme;
            }}
          >
            {Object.entries(settings.themes).map(([name, says]) => (
              <option key={name} value={name}>
                {says}
              </option>
            ))}
          </select>
        </label>
      </div>
    </section>
  );
}

function Sessions({ sessions, onTried }: { sessions: ListedSession[]; onTried: () => void }) {
  const { settings } = texts.value;
  return (
    <div class="scroll">
      <table class="stacked">
        <caption class="hidden">{settings.sessions}</caption>
        <thead>
          <tr>
            <th scope="col">{settings.user}</th>
            <th scope="col">{settings.role}</th>
            <th scope="col">{settings.created}</th>
            <th scope="col">{settings.seen}</th>
            <th scope="col">{settings.expires}</th>
            <td />
          </tr>
        </thead>
        <tbody>
          {sessions.map(({ id, user, role, created_at, last_seen_at, expires_at, is_this }) => (
            <tr key={id}>
              <th scope="row">
                {user} {is_this && <small>({settings.thisOne})</small>}
              </th>
              <td data-label={settings.role}>{settings.roles[role]}</td>
              <td data-label={settings.created}>
                <When at={created_at} />
              </td>
              <td data-label={settings.seen}>
                <When at={last_seen_at} />
              </td>
              <td data-label={settings.expires}>
                <When at={expires_at} />
              </td>
              <td>
                {!is_this && canAct.value && (
                  <Act
                    label={settings.end}
                    title={settings.endTitle(user)}
                    says={settings.endSays}
                    act={async () => {
                      await api.endSession(id);
                      return settings.endDone(user);
                    }}
                    onTried={onTried}
                  />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function SidecarSettings({ config: { settings: list, mistakes } }: { config: Config }) {
  const { settings } = texts.value;
  const shown = (value: string | null, isSecret: boolean) => value ?? (isSecret ? settings.secret : settings.notSet);
  return (
    <>
      {mistakes.length > 0 && (
        <>
          <h3>{settings.mistakes}</h3>
          <ul>
            {mistakes.map((mistake) => (
              <li key={mistake}>
                <Foreign>{mistake}</Foreign>
              </li>
            ))}
          </ul>
        </>
      )}
      <div class="scroll">
        <table class="stacked">
          <caption class="hidden">{settings.sidecar}</caption>
          <thead>
            <tr>
              <th scope="col">{settings.name}</th>
              <th scope="col">{settings.value}</th>
              <th scope="col">{settings.source}</th>
            </tr>
          </thead>
          <tbody>
            {list.map(({ name, value, source, secret, written }) => (
              <tr key={name}>
                <th scope="row">
                  <code>{name}</code>
                </th>
                <td data-label={settings.value}>
                  {source === null ? settings.notSet : shown(value, secret)}
                  {written !== null && <div>{settings.written(shown(written.value, secret))}</div>}
                </td>
                <td data-label={settings.source}>{source === null ? "" : settings.sources[source]}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
