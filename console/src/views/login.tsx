import { Foreign } from "../parts/foreign.tsx";
import { Title } from "../parts/title.tsx";
import { hasExpired, linkProblem } from "../state/session.ts";
import { texts } from "../texts/index.ts";

/** How to get in. The page goes on by itself as soon as a link was opened, in whatever tab. */
export function Login() {
  const { login } = texts.value;
  return (
    <section class="narrow">
      <Title>{login.title}</Title>
      {hasExpired.value && (
        <p class="problem" role="alert">
          {login.expired}
        </p>
      )}
      {linkProblem.value !== null && (
        <p class="problem" role="alert">
          {linkProblem.value.isWrong ? (
            login.wrong
          ) : (
            <>
              {login.failed("")}
              <Foreign>{linkProblem.value.why}</Foreign>
            </>
          )}
        </p>
      )}
      <p>{login.how}</p>
      <pre class="command">hotbags console --role act</pre>
      <p>{login.open}</p>
      <p class="quiet">{login.look}</p>
    </section>
  );
}
