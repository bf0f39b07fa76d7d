/** The page: its head, and the screen of the address below it. */

import { useEffect, useState } from "preact/hooks";
import { caller, identify } from "./api/caller.ts";
import { away, outdated, signedOut } from "./api/calls.ts";
import { signOut } from "./api/session.ts";
import { Help } from "./parts/help.tsx";
import { Caller } from "./parts/caller.tsx";
import { Namespaces } from "./parts/namespaces.tsx";
import { ThenBar } from "./parts/then.tsx";
import { Empty } from "./parts/states.tsx";
import { CompareScreen } from "./screens/compare.tsx";
import { ExperimentsScreen } from "./screens/experiments.tsx";
import { RunScreen } from "./screens/run.tsx";
import { LoginScreen } from "./screens/login.tsx";
import { ModelScreen } from "./screens/model.tsx";
import { ModelsScreen } from "./screens/models.tsx";
import { RunsScreen } from "./screens/runs.tsx";
import { SelectScreen } from "./screens/select.tsx";
import { ServerScreen } from "./screens/server.tsx";
import { VersionScreen } from "./screens/version.tsx";
import { change, chooseTheme, ground, hrefOf, route, theme, view } from "./state.ts";
import type { Route } from "./view/route.ts";
import { typing } from "./view/typing.ts";

/** See the file. */
export function App() {
  const [help, setHelp] = useState(false);
  const [told, setTold] = useState("");
  const to = route.value;
  useEffect(() => {
    document.documentElement.dataset["theme"] = ground.value;
  }, [ground.value]);
  useEffect(() => {
    document.title = `${to.screen === "lost" ? "Not found" : to.screen} · fleetlog`;
  }, [to.screen]);
  const then = to.screen !== "lost" && to.screen !== "server";
  const copyLink = () => {
    navigator.clipboard.writeText(location.href).then(
      () => setTold("Link copied"),
      () => setTold("The browser keeps its clipboard: copy the address"),
    );
    setTimeout(() => setTold(""), 2500);
  };
  useEffect(() => {
    // Until it is known who calls, everything is offered, and the server refuses.
    identify().catch(() => undefined);
  }, []);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (typing(event)) return;
      if (event.key === "?") setHelp(true);
      if (event.key === "y") copyLink();
      if (event.key === "Y") document.querySelector<HTMLElement>("[data-menu=code]")?.click();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  const next = theme.value === "auto"
    ? (ground.value === "dark" ? "light" : "dark")
    : theme.value === "dark"
    ? "light"
    : "dark";
  return (
    <>
      <header class="top">
        <a class="brand" href={hrefOf({ screen: "experiments", namespace: to.namespace })}>
          <svg viewBox="0 0 20 20" aria-hidden="true">
            <path d="M3 15.5C6 15.5 6 5 9 5s2.5 7.5 4.5 7.5S15.5 9 17.5 9" />
          </svg>
          fleetlog
        </a>
        <nav aria-label="Screens">
          <a
            href={hrefOf({ screen: "experiments", namespace: to.namespace })}
            aria-current={to.screen === "experiments" ? "page" : undefined}
          >
            Experiments
          </a>
          <a
            href={hrefOf({ screen: "runs", namespace: to.namespace })}
            aria-current={to.screen === "runs" ? "page" : undefined}
          >
            Runs
          </a>
          <a
            href={hrefOf({ screen: "select", namespace: to.namespace })}
            aria-current={to.screen === "select" ? "page" : undefined}
          >
            Select
          </a>
          <a
            href={hrefOf({ screen: "models", namespace: to.namespace })}
            aria-current={to.screen === "models" || to.screen === "model" || to.screen === "version"
              ? "page"
              : undefined}
          >
            Models
          </a>
          <a
            href={hrefOf({ screen: "server", namespace: to.namespace })}
            aria-current={to.screen === "server" ? "page" : undefined}
          >
            Server
          </a>
        </nav>
        <span class="fill" />
        {!signedOut.value && <Namespaces namespace={to.namespace} />}
        {caller.value?.principal && !signedOut.value && <Caller caller={caller.value} onSignOut={signOut} />}
        {then && !view.value.asof && !signedOut.value && (
          <button
            type="button"
            class="plain"
            title="the runs as they were at a past moment"
            onClick={() => change({ asof: String(Date.now()) })}
          >
            As of…
          </button>
        )}
        <button type="button" class="plain" onClick={copyLink}>Copy link</button>
        <button
          type="button"
          class="plain"
          onClick={() => chooseTheme(next)}
          aria-label={`${next} theme`}
          data-theme-switch
        >
          {next === "dark" ? "Dark" : "Light"}
        </button>
        <button type="button" class="plain" onClick={() => setHelp(true)} aria-label="keyboard shortcuts">
          ?
        </button>
      </header>
      {away.value && (
        <div class="strip bad" role="status" data-away>
          The server does not answer. What is shown is from before; this page tries again by itself.
        </div>
      )}
      {outdated.value && (
        <div class="strip" role="status">
          A new version is here. <button type="button" class="plain" onClick={() => location.reload()}>Load it</button>
        </div>
      )}
      {then && view.value.asof && !signedOut.value && <ThenBar />}
      <main>
        {signedOut.value ? <LoginScreen /> : <Screen to={to} />}
      </main>
      {help && <Help onClose={() => setHelp(false)} />}
      <div class="toast" role="status" hidden={!told}>{told}</div>
    </>
  );
}

function Screen({ to }: { to: Route }) {
  switch (to.screen) {
    case "experiments":
      return <ExperimentsScreen key={to.namespace} namespace={to.namespace} />;
    case "runs":
      return (
        <RunsScreen
          key={`${to.namespace} ${to.experiment}`}
          namespace={to.namespace}
          experiment={to.experiment}
        />
      );
    case "run":
      return <RunScreen key={`${to.namespace} ${to.run}`} namespace={to.namespace} id={to.run} />;
    case "compare":
      return <CompareScreen key={to.namespace} namespace={to.namespace} />;
    case "select":
      return (
        <SelectScreen
          key={`${to.namespace} ${to.experiment}`}
          namespace={to.namespace}
          experiment={to.experiment}
        />
      );
    case "models":
      return <ModelsScreen key={to.namespace} namespace={to.namespace} />;
    case "model":
      return <ModelScreen key={`${to.namespace} ${to.model}`} namespace={to.namespace} name={to.model} />;
    case "server":
      return <ServerScreen key={to.namespace} namespace={to.namespace} />;
    case "version":
      return <VersionScreen key={`${to.namespace} ${to.model} ${to.version}`} {...to} />;
    case "lost":
      return (
        <Empty title="Nothing is at this address">
          <a class="button" href={hrefOf({ screen: "experiments", namespace: to.namespace })}>
            To the experiments
          </a>
        </Empty>
      );
  }
}
