/** Models screen: the registered models of a namespace, and what is in use of each. */

import { useState } from "preact/hooks";
import { searchModels } from "../api/models.ts";
import { useRested } from "../parts/load.ts";
import { usePages } from "../parts/pages.ts";
import { Time } from "../parts/facts.tsx";
import { Empty, Failed, Skeleton } from "../parts/states.tsx";
import { Stage } from "../parts/versions.tsx";
import { hrefOf, view } from "../state.ts";
import { grouped } from "../view/numbers.ts";
import { STAGES } from "../view/registry.ts";
import { ModelStage } from "../../contract/fleetlog/v1/registry_event_pb.ts";

const TYPING_MILLIS = 150;
const FIRST_MODEL = `import fleetlog

client = fleetlog.Client()
best = client.search_runs(order_by=["metrics.loss"], limit=1)[0]
client.register_model("my-model", run=best, aliases="champion")
`;

/** See the file. */
export function ModelsScreen({ namespace }: { namespace: string }) {
  const [text, setText] = useState("");
  const contains = useRested(text.trim(), TYPING_MILLIS);
  const { asof } = view.value;
  const models = usePages(
    `${namespace} ${contains} ${asof}`,
    (token, signal) => searchModels({ namespace, asof, atLeast: undefined }, contains, token, signal),
  );
  if (models.failure && !models.items) return <Failed failure={models.failure} retry={models.retry} />;
  const items = models.items;
  return (
    <div class="screen" data-screen="models">
      <div class="bar">
        <h1>Models</h1>
        <input
          class="field search"
          value={text}
          placeholder="Search by name"
          aria-label="Search models"
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <span class="fill" />
        {items && items.length > 0 && (
          <span class="quiet">
            {grouped(items.length)}
            {models.hasMore ? " of more" : ""} {items.length === 1 ? "model" : "models"}
          </span>
        )}
      </div>
      {!items
        ? <Skeleton rows={8} />
        : items.length === 0
        ? (contains
          ? <Empty title="No model has that name" />
          : asof
          ? <Empty title="No models at that time" />
          : (
            <Empty title="No models yet">
              <p>A model is registered from a run, on this page's Select screen or by code:</p>
              <pre class="code">{FIRST_MODEL}</pre>
            </Empty>
          ))
        : (
          <div class="scroll">
            <table class="list models">
              <thead>
                <tr>
                  <th>Name</th>
                  <th class="right">Latest</th>
                  <th>In stages</th>
                  <th>Aliases</th>
                  <th>Tags</th>
                  <th>Changed</th>
                </tr>
              </thead>
              <tbody>
                {items.map((each) => (
                  <tr key={String(each.modelId)} data-model={each.name}>
                    <td>
                      <a href={hrefOf({ screen: "model", namespace, model: each.name })}>{each.name}</a>
                    </td>
                    <td class="right">{each.lastVersion ? String(each.lastVersion) : <span class="none">–</span>}</td>
                    <td>
                      <span class="staged">
                        {STAGES.filter((stage) => stage !== ModelStage.NONE && stage !== ModelStage.ARCHIVED).flatMap(
                          (stage) =>
                            each.latestVersions.filter((version) => version.stage === stage).map((version) => (
                              <span key={stage}>
                                <Stage stage={stage} /> <b>{String(version.version)}</b>
                              </span>
                            )),
                        )}
                      </span>
                    </td>
                    <td>
                      <span class="aliases">
                        {Object.entries(each.aliases).sort().slice(0, 6).map(([alias, version]) => (
                          <span key={alias} class="alias">@{alias} → {String(version)}</span>
                        ))}
                      </span>
                    </td>
                    <td class="wide quiet">
                      {Object.entries(each.tags).sort().slice(0, 4).map(([key, value]) => `${key}: ${value}`)
                        .join(" · ")}
                    </td>
                    <td>
                      <Time millis={each.updateTimeMillis} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
            {models.hasMore && (
              <p class="more">
                <button type="button" class="button" onClick={models.more}>More</button>
              </p>
            )}
          </div>
        )}
    </div>
  );
}
