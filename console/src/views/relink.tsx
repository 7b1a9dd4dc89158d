import { useEffect, useRef, useState } from "preact/hooks";
import type { LoginStep } from "../api/answers.ts";
import { api } from "../api/client.ts";
import { Act } from "../parts/act.tsx";
import { Foreign } from "../parts/foreign.tsx";
import { Show } from "../parts/loading.tsx";
import { State } from "../parts/state.tsx";
import { Title } from "../parts/title.tsx";
import { path } from "../state/live.ts";
import { useLoad } from "../state/loading.ts";
import { linkTo } from "../state/route.ts";
import { canAct } from "../state/session.ts";
import { texts } from "../texts/index.ts";

/** Links WhatsApp accounts to their phones. `wanted`: the one that it is about; null: any. */
export function Relink({ wanted }: { wanted: string | null }) {
  const { relink, page } = texts.value;
  const states = path.value?.hops.map(({ hop, state }) => `${hop}${state}`).join(" ");
  const loaded = useLoad("accounts", api.accounts);
  const [linked, setLinked] = useState<string | null>(null);
  // Not by the key: with it a code that is being shown would go, and nobody would wait for its phone any more.
  useEffect(loaded.reload, [states]);
  return (
    <>
      <Title>{relink.title}</Title>
      {!canAct.value && <p>{page.mayLook}</p>}
      <Show loaded={loaded}>
        {({ accounts, problem }) => (
          <>
            {problem !== null && (
              <p class="problem">
                <Foreign>{problem}</Foreign>
              </p>
            )}
            {accounts.length === 0 && <p class="quiet">{relink.none}</p>}
            <ul class="cards">
              {accounts
                .filter(({ account_id }) => wanted === null || account_id === wanted)
                .map(({ account_id, state, sentence }) => (
                  <li key={account_id}>
                    <h2>
                      {texts.value.now.account(account_id)} <State state={state}>{relink.states[state] ?? state}</State>
                    </h2>
                    <p>{relink.sentence(state, sentence)}</p>
                    {linked === account_id && (
                      <p class="answer good" role="status">
                        {relink.linked}
                      </p>
                    )}
                    {state !== "connected" && canAct.value && (
                      <Code
                        account={account_id}
                        onBegin={() => setLinked(null)}
                        onLinked={() => {
                          setLinked(account_id);
                          loaded.reload();
                        }}
                      />
                    )}
                  </li>
                ))}
            </ul>
            {wanted !== null && <a href={linkTo("relink")}>{relink.which}</a>}
          </>
        )}
      </Show>
    </>
  );
}

/** The code, and another one in its place, until a phone has scanned it. */
function Code({ account, onBegin, onLinked }: { account: string; onBegin: () => void; onLinked: () => void }) {
  const { relink } = texts.value;
  const [step, setStep] = useState<LoginStep | null>(null);
  const isGone = useRef(false);
  useEffect(
    () => () => {
      isGone.current = true;
    },
    [],
  );
  const wait = async (before: LoginStep) => {
    let now = before;
    let { qr } = before;
    while (!isGone.current && qr !== null && (now.state === "scan" || now.state === "waiting")) {
      now = await api.waitLogin(account, qr).catch((error: Error): LoginStep => ({ ...failed(error.message) }));
      qr = now.qr ?? qr;
      if (!isGone.current && now.state !== "connected") setStep({ ...now, qr: now.state === "failed" ? null : qr });
    }
    if (now.state !== "connected") return;
    setStep(null);
    onLinked();
  };
  const begin = async () => {
    onBegin();
    const first = await api.startLogin(account);
    setStep(first);
    void wait(first);
    return first.state === "failed" ? relink.failed(first.reason ?? "") : relink.scan;
  };
  return (
    <>
      <div role="status">
        {step?.state === "failed" && <p class="problem">{relink.failed(step.reason ?? "")}</p>}
        {step?.qr != null && (
          <>
            <p>{relink.scan}</p>
            <p class="quiet">
              {relink.refreshed} {relink.waiting}
            </p>
          </>
        )}
      </div>
      {step?.qr != null ? (
        <img class="code" src={step.qr} alt={relink.code(account)} />
      ) : (
        <Act
          label={step === null ? relink.begin : relink.again}
          title={relink.beginTitle(account)}
          says={relink.beginSays}
          isDangerous
          act={begin}
          onTried={() => {}}
        />
      )}
    </>
  );
}

const failed = (reason: string): LoginStep => ({ state: "failed", qr: null, reason });
