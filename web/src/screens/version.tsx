/** Version screen: one version of a registered model, where it came from, and what may be done with it. */

import { useState } from "preact/hooks";
import { call } from "../api/calls.ts";
import { may } from "../api/caller.ts";
import { getModel, getVersion, listComments, listHistory, ModelChanges } from "../api/models.ts";
import { asOf } from "../api/reads.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import type { ModelLineage } from "../../contract/fleetlog/v1/registry_event_pb.ts";
import { Refused, useChanging } from "../parts/changing.tsx";
import { CodeMenu } from "../parts/code.tsx";
import { Comments } from "../parts/comments.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Fact, Section, Time } from "../parts/facts.tsx";
import { History } from "../parts/history.tsx";
import { useLoad } from "../parts/load.ts";
import { MoveDialog } from "../parts/move.tsx";
import { Note } from "../parts/note.tsx";
import { usePages } from "../parts/pages.ts";
import { RunLink } from "../parts/run_link.tsx";
import { Failed, Skeleton } from "../parts/states.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { Tags } from "../parts/tags.tsx";
import { Aliases, Stage } from "../parts/versions.tsx";
import { versionCode } from "../view/subject_code.ts";
import { go, hrefOf, view as viewSignal } from "../state.ts";
import { shortNumber, wholeNumber } from "../view/numbers.ts";
import type { Move } from "../view/registry.ts";

const TABS = ["overview", "history"] as const;

/** See the file. */
export function VersionScreen({ namespace, model: name, version: number }: {
  namespace: string;
  model: string;
  version: bigint;
}) {
  const { asof, tab: asked } = viewSignal.value;
  const changing = useChanging();
  const changes = new ModelChanges(namespace, name);
  const [dialog, setDialog] = useState<Move["case"] | "delete">();
  const moment = { namespace, asof, atLeast: changing.atLeast };
  const key = `${namespace} ${name} ${number} ${asof} ${changing.count}`;
  const loaded = useLoad(key, (signal) => getVersion(moment, name, number, signal));
  const model = useLoad(key, (signal) => getModel(moment, name, signal));
  const comments = usePages(key, (token, signal) => listComments(moment, name, number, token, signal));
  const history = usePages(key, (token, signal) => listHistory(moment, name, number, token, signal));
  const version = loaded.value;
  if (loaded.failure && !version) return <Failed failure={loaded.failure} retry={loaded.retry} />;
  if (!version) return <Skeleton rows={12} />;
  const writable = may.value.write && !asof;
  const movable = (may.value.write || may.value.approve) && !asof;
  const tab = TABS.find((each) => each === asked) ?? "overview";
  return (
    <div class="screen" data-screen="version" data-version={String(number)}>
      <div class="bar">
        <h1>
          <a href={hrefOf({ screen: "models", namespace })}>Models</a>
          <span class="slash">/</span>
          <a href={hrefOf({ screen: "model", namespace, model: name })}>{name}</a>
          <span class="slash">/</span>
          version {String(number)}
          <Stage stage={version.stage} />
        </h1>
        <span class="fill" />
        <CodeMenu codes={versionCode({ origin: location.origin, namespace, asof }, name, number)} />
        {movable && (
          <>
            <button type="button" class="button" onClick={() => setDialog("stage")}>Move to stage</button>
            <button type="button" class="button" onClick={() => setDialog("alias")}>Set alias</button>
          </>
        )}
        {writable && <button type="button" class="button" onClick={() => setDialog("delete")}>Delete</button>}
      </div>
      <Refused message={changing.refused} onClose={changing.forget} />
      <Tabs tabs={TABS} tab={tab} />
      <div class="scroll">
        {tab === "history" && <History history={history} />}
        {tab === "overview" && (
          <div class="overview">
            <dl class="facts">
              <Fact name="Aliases">
                <Aliases names={version.aliases} />
              </Fact>
              <Fact name="Registered">
                <Time millis={version.createTimeMillis} />
              </Fact>
              {version.createUser && <Fact name="By">{version.createUser}</Fact>}
              <Fact name="Changed">
                <Time millis={version.updateTimeMillis} />
              </Fact>
              {version.source && (
                <Fact name="Source">
                  <code>{version.source}</code>
                </Fact>
              )}
            </dl>
            <fieldset class="edits" disabled={!writable}>
              <Note
                word="description"
                text={version.description}
                onText={(description) => void changing.make(() => changes.updateVersion(number, { description }))}
              />
            </fieldset>
            <div class="columns">
              <div>
                {version.lineage && <Lineage namespace={namespace} lineage={version.lineage} />}
                <Comments
                  comments={comments}
                  writable={writable}
                  busy={changing.busy}
                  showVersion={false}
                  onComment={(text) => changing.make(() => changes.comment(number, text))}
                />
              </div>
              <fieldset class="edits" disabled={!writable}>
                <Tags
                  tags={version.tags}
                  keys={Object.keys(version.tags).sort()}
                  onEdit={(change) => void changing.make(() => changes.updateVersion(number, change))}
                />
              </fieldset>
            </div>
          </div>
        )}
      </div>
      {(dialog === "stage" || dialog === "alias") && (
        <MoveDialog
          kind={dialog}
          version={version}
          policy={model.value?.approvalPolicy}
          aliases={Object.keys(model.value?.aliases ?? {}).sort()}
          may={may.value}
          changes={changes}
          changing={changing}
          onClose={() => setDialog(undefined)}
        />
      )}
      {dialog === "delete" && (
        <Dialog
          title={`Delete version ${number} of ${name}?`}
          action="Delete version"
          danger
          disabled={changing.busy}
          onSubmit={async () => {
            const done = await changing.make(() => changes.removeVersion(number));
            setDialog(undefined);
            if (done) go(hrefOf({ screen: "model", namespace, model: name }));
          }}
          onClose={() => setDialog(undefined)}
        >
          <p>The version and its aliases go, and can not be restored. The run and its artifacts stay.</p>
        </Dialog>
      )}
    </div>
  );
}

function Lineage({ namespace, lineage }: { namespace: string; lineage: ModelLineage }) {
  const { asof } = viewSignal.value;
  const run = useLoad(
    `${namespace} ${lineage.runId} ${asof}`,
    async (signal) => {
      if (!lineage.runId) return undefined;
      const asked = { namespace, runIds: [lineage.runId], summaries: true, asOf: asOf(asof) };
      return (await call(QueryService.method.getRuns, asked, signal)).runs[0];
    },
  );
  const metrics = run.value?.metrics ?? [];
  return (
    <Section title="Where it came from">
      <table class="pairs">
        <tbody>
          {lineage.runId && (
            <tr>
              <th>Run</th>
              <td>
                <RunLink namespace={namespace} run={lineage.runId} />
              </td>
            </tr>
          )}
          {lineage.artifactPath && (
            <tr>
              <th>Artifact</th>
              <td>
                <code>{lineage.artifactPath}</code>
              </td>
            </tr>
          )}
          {lineage.gitCommit && (
            <tr>
              <th>Commit</th>
              <td>
                <code>{lineage.gitCommit}</code>
              </td>
            </tr>
          )}
          {lineage.datasets.map((each, at) => (
            <tr key={at}>
              <th>Dataset{each.context ? `, ${each.context}` : ""}</th>
              <td>
                {each.name} <code class="quiet">{each.digest}</code>
              </td>
            </tr>
          ))}
          {lineage.selection?.request && (
            <tr>
              <th>Selected by</th>
              <td>
                {lineage.selection.request.objectives.map((each) => each.value).join(", ")}
                {lineage.selection.request.scope?.filter && (
                  <>
                    {" where "}
                    <code>{lineage.selection.request.scope.filter}</code>
                  </>
                )}
              </td>
            </tr>
          )}
          {metrics.map((each) => (
            <tr key={each.key} data-metric={each.key}>
              <th title={each.key}>{each.key}</th>
              <td title={wholeNumber(each.last)}>{shortNumber(each.last)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}
