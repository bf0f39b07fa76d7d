/** Dialog that moves a version to a stage, or an alias to it; or asks for that, where it takes an approval. */

import { useState } from "preact/hooks";
import { type ApprovalPolicy, ModelStage } from "../../contract/fleetlog/v1/registry_event_pb.ts";
import type { ModelVersion } from "../../contract/fleetlog/v1/model_version_pb.ts";
import type { ModelChanges } from "../api/models.ts";
import { archivesOthers, isAlias, type Move, needsApproval, stageName, STAGES } from "../view/registry.ts";
import type { May } from "../view/roles.ts";
import type { Changing } from "./changing.tsx";
import { Dialog, Field } from "./dialog.tsx";

/** See the file. */
export function MoveDialog({ kind, version, policy, aliases, may, changes, changing, onClose }: {
  kind: Move["case"];
  version: ModelVersion;
  policy: ApprovalPolicy | undefined;
  /** Aliases that the model has. */
  aliases: string[];
  may: May;
  changes: ModelChanges;
  changing: Changing;
  onClose: () => void;
}) {
  const [stage, setStage] = useState<ModelStage>(
    version.stage === ModelStage.STAGING ? ModelStage.PRODUCTION : ModelStage.STAGING,
  );
  const [alias, setAlias] = useState("");
  const [archive, setArchive] = useState(false);
  const [comment, setComment] = useState("");
  const move: Move = kind === "stage" ? { case: "stage", value: stage } : { case: "alias", value: alias.trim() };
  const demanded = needsApproval(policy, move);
  const asks = demanded || !may.approve;
  const archives = kind === "stage" && archivesOthers(stage) && archive;
  const valid = kind === "stage" ? stage !== version.stage : isAlias(alias.trim());
  const submit = async () => {
    const done = await changing.make(async () => {
      if (asks) return await changes.request(version.version, move, archives, comment);
      const position = await changes.move(version.version, move, archives);
      return comment.trim() && may.write ? await changes.comment(version.version, comment.trim()) : position;
    });
    if (done) onClose();
  };
  return (
    <Dialog
      title={kind === "stage" ? `Move version ${version.version}` : `Alias of version ${version.version}`}
      action={asks ? "Ask for approval" : kind === "stage" ? `Move to ${stageName(stage)}` : "Set alias"}
      disabled={!valid || changing.busy || (asks && !may.write)}
      onSubmit={submit}
      onClose={onClose}
    >
      {kind === "stage"
        ? (
          <Field label="Stage">
            <select
              class="button"
              value={stage}
              onChange={(event) => setStage(Number(event.currentTarget.value) as ModelStage)}
            >
              {STAGES.map((each) => (
                <option key={each} value={each} disabled={each === version.stage}>
                  {stageName(each)}
                  {each === version.stage ? " (now)" : ""}
                </option>
              ))}
            </select>
          </Field>
        )
        : (
          <Field label="Alias" hint="letters, digits, - and _; an alias names one version at a time">
            <input
              class="field"
              list="aliases"
              autofocus
              value={alias}
              onInput={(event) => setAlias(event.currentTarget.value)}
            />
            <datalist id="aliases">{aliases.map((each) => <option key={each} value={each} />)}</datalist>
          </Field>
        )}
      {kind === "stage" && archivesOthers(stage) && (
        <label class="checked">
          <input type="checkbox" checked={archive} onChange={() => setArchive(!archive)} />
          Archive all other versions in {stageName(stage)}
        </label>
      )}
      {(asks || may.write) && (
        <Field label="Comment" hint={asks ? "for those who decide, and for the history" : "for the history"}>
          <textarea
            rows={3}
            value={comment}
            onInput={(event) =>
              setComment(event.currentTarget.value)}
          />
        </Field>
      )}
      {asks && (
        <p class="quiet">
          {demanded
            ? "This model takes an approval for that: somebody who may approve decides, and then it is done."
            : may.write
            ? "You may ask for it; somebody who may approve decides, and then it is done."
            : "It takes the role approver or writer in this namespace."}
        </p>
      )}
    </Dialog>
  );
}
