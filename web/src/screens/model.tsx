/** Model screen: versions, aliases, policy, requests, comments and history of one registered model. */

import { useState } from "preact/hooks";
import { may } from "../api/caller.ts";
import { getModel, listApprovals, listComments, listHistory, ModelChanges, searchVersions } from "../api/models.ts";
import { ApprovalState } from "../../contract/fleetlog/v1/model_approval_pb.ts";
import { Approvals } from "../parts/approvals.tsx";
import { Refused, useChanging } from "../parts/changing.tsx";
import { CodeMenu } from "../parts/code.tsx";
import { Comments } from "../parts/comments.tsx";
import { Dialog, Field } from "../parts/dialog.tsx";
import { Fact, Section, Time } from "../parts/facts.tsx";
import { History } from "../parts/history.tsx";
import { useLoad } from "../parts/load.ts";
import { Note } from "../parts/note.tsx";
import { usePages } from "../parts/pages.ts";
import { Policy } from "../parts/policy.tsx";
import { Failed, Skeleton } from "../parts/states.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { Tags } from "../parts/tags.tsx";
import { Versions } from "../parts/versions.tsx";
import { modelCode } from "../view/subject_code.ts";
import { go, hrefOf, view as viewSignal } from "../state.ts";

const TABS = ["overview", "requests", "history"] as const;

/** See the file. */
export function ModelScreen({ namespace, name }: { namespace: string; name: string }) {
  const { asof, tab: asked } = viewSignal.value;
  const changing = useChanging();
  const changes = new ModelChanges(namespace, name);
  const [dialog, setDialog] = useState<"rename" | "delete">();
  const moment = { namespace, asof, atLeast: changing.atLeast };
  const key = `${namespace} ${name} ${asof} ${changing.count}`;
  const loaded = useLoad(key, (signal) => getModel(moment, name, signal));
  const versions = usePages(key, (token, signal) => searchVersions(moment, { name }, token, signal));
  const approvals = usePages(key, (token, signal) => listApprovals(moment, name, token, signal));
  const comments = usePages(key, (token, signal) => listComments(moment, name, undefined, token, signal));
  const history = usePages(key, (token, signal) => listHistory(moment, name, undefined, token, signal));
  const model = loaded.value;
  if (loaded.failure && !model) return <Failed failure={loaded.failure} retry={loaded.retry} />;
  if (!model) return <Skeleton rows={12} />;
  const writable = may.value.write && !asof;
  const tab = TABS.find((each) => each === asked) ?? "overview";
  const pending = (approvals.items ?? []).filter((each) => each.state === ApprovalState.PENDING).length;
  const aliases = Object.entries(model.aliases).sort();
  return (
    <div class="screen" data-screen="model" data-model={name}>
      <div class="bar">
        <h1>
          <a href={hrefOf({ screen: "models", namespace })}>Models</a>
          <span class="slash">/</span>
          {name}
        </h1>
        <span class="fill" />
        <CodeMenu codes={modelCode({ origin: location.origin, namespace, asof }, name)} />
        {writable && (
          <>
            <button type="button" class="button" onClick={() => setDialog("rename")}>Rename</button>
            <button type="button" class="button" onClick={() => setDialog("delete")}>Delete</button>
          </>
        )}
      </div>
      <Refused message={changing.refused} onClose={changing.forget} />
      <Tabs tabs={TABS} tab={tab} notes={{ requests: pending ? `${pending} pending` : "" }} />
      <div class="scroll">
        {tab === "requests" && (
          <Approvals
            approvals={approvals.items ?? []}
            mayDecide={may.value.approve && !asof}
            changes={changes}
            changing={changing}
          />
        )}
        {tab === "history" && <History history={history} />}
        {tab === "overview" && (
          <div class="overview">
            <dl class="facts">
              <Fact name="Made">
                <Time millis={model.createTimeMillis} />
              </Fact>
              {model.createUser && <Fact name="By">{model.createUser}</Fact>}
              <Fact name="Changed">
                <Time millis={model.updateTimeMillis} />
              </Fact>
              <Fact name="Latest version">{model.lastVersion ? String(model.lastVersion) : "–"}</Fact>
            </dl>
            <fieldset class="edits" disabled={!writable}>
              <Note
                word="description"
                text={model.description}
                onText={(description) => void changing.make(() => changes.update({ description }))}
              />
            </fieldset>
            <Section title="Versions" count={versions.items?.length}>
              {versions.items && versions.items.length > 0 && (
                <Versions namespace={namespace} versions={versions.items} />
              )}
              {versions.hasMore && (
                <p class="more">
                  <button type="button" class="button" onClick={versions.more}>More</button>
                </p>
              )}
            </Section>
            <div class="columns">
              <Comments
                comments={comments}
                writable={writable}
                busy={changing.busy}
                showVersion
                onComment={(text) => changing.make(() => changes.comment(0n, text))}
              />
              <div>
                <Section title="Aliases" count={aliases.length}>
                  <table class="pairs">
                    <tbody>
                      {aliases.map(([alias, version]) => (
                        <tr key={alias} data-alias={alias}>
                          <th>
                            <span class="alias">@{alias}</span>
                          </th>
                          <td>
                            <a href={hrefOf({ screen: "version", namespace, model: name, version })}>
                              version {String(version)}
                            </a>
                          </td>
                          <td class="right">
                            {may.value.approve && !asof && (
                              <button
                                type="button"
                                class="plain"
                                aria-label={`remove alias ${alias}`}
                                onClick={() => void changing.make(() => changes.removeAlias(alias))}
                              >
                                ✕
                              </button>
                            )}
                          </td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </Section>
                <fieldset class="edits" disabled={!writable}>
                  <Tags
                    tags={model.tags}
                    keys={Object.keys(model.tags).sort()}
                    onEdit={(change) => void changing.make(() => changes.update(change))}
                  />
                </fieldset>
                <Policy
                  policy={model.approvalPolicy}
                  editable={writable && may.value.approve}
                  onPolicy={(approvalPolicy) => void changing.make(() => changes.update({ approvalPolicy }))}
                />
              </div>
            </div>
          </div>
        )}
      </div>
      {dialog === "rename" && (
        <Rename
          name={name}
          busy={changing.busy}
          onRename={async (next) => {
            const done = await changing.make(() => changes.rename(next));
            setDialog(undefined);
            if (done) {
              go(hrefOf({ screen: "model", namespace, model: next }));
            }
          }}
          onClose={() =>
            setDialog(undefined)}
        />
      )}
      {dialog === "delete" && (
        <Dialog
          title={`Delete ${name}?`}
          action={`Delete ${name}`}
          danger
          disabled={changing.busy}
          onSubmit={async () => {
            const done = await changing.make(() => changes.remove());
            setDialog(undefined);
            if (done) go(hrefOf({ screen: "models", namespace }));
          }}
          onClose={() => setDialog(undefined)}
        >
          <p>
            The model, its {versions.items?.length ?? 0}{" "}
            versions and its aliases go, and can not be restored. The runs and their artifacts stay, and so does the
            history.
          </p>
        </Dialog>
      )}
    </div>
  );
}

function Rename({ name, busy, onRename, onClose }: {
  name: string;
  busy: boolean;
  onRename: (name: string) => void;
  onClose: () => void;
}) {
  const [next, setNext] = useState(name);
  const valid = next.trim() !== "" && next.trim() !== name && !/[/:]/.test(next);
  return (
    <Dialog
      title={`Rename ${name}`}
      action="Rename"
      disabled={busy || !valid}
      onSubmit={() => onRename(next.trim())}
      onClose={onClose}
    >
      <Field label="Name" hint="without / and :">
        <input class="field" autofocus value={next} onInput={(event) => setNext(event.currentTarget.value)} />
      </Field>
    </Dialog>
  );
}
