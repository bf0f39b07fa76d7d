/** Policy of a model: which stages and aliases take an approval. */

import { useState } from "preact/hooks";
import { type ApprovalPolicy, ModelStage } from "../../contract/fleetlog/v1/registry_event_pb.ts";
import { isAlias, stageName, STAGES } from "../view/registry.ts";
import { Dialog, Field } from "./dialog.tsx";
import { Section } from "./facts.tsx";

type Parts = { stages: ModelStage[]; aliases: string[] };

/** See the file. */
export function Policy({ policy, editable, onPolicy }: {
  policy: ApprovalPolicy | undefined;
  editable: boolean;
  onPolicy: (policy: Parts) => void;
}) {
  const [open, setOpen] = useState(false);
  const now: Parts = { stages: policy?.stages ?? [], aliases: policy?.aliases ?? [] };
  const names = [...now.stages.map(stageName), ...now.aliases.map((each) => `@${each}`)];
  return (
    <Section title="Approvals">
      <p class="policy">
        {names.length
          ? <>An approval is taken for {names.join(", ")}.</>
          : <span class="quiet">Nothing takes an approval.</span>}
        {editable && <button type="button" class="plain" onClick={() => setOpen(true)}>change</button>}
      </p>
      {open && (
        <PolicyDialog
          now={now}
          onPolicy={(next) => {
            setOpen(false);
            onPolicy(next);
          }}
          onClose={() => setOpen(false)}
        />
      )}
    </Section>
  );
}

function PolicyDialog({ now, onPolicy, onClose }: {
  now: Parts;
  onPolicy: (policy: Parts) => void;
  onClose: () => void;
}) {
  const [stages, setStages] = useState(now.stages);
  const [text, setText] = useState(now.aliases.join(" "));
  const aliases = text.split(/[\s,]+/).filter((each) => each !== "");
  const toggle = (stage: ModelStage) =>
    setStages(stages.includes(stage) ? stages.filter((each) => each !== stage) : [...stages, stage]);
  return (
    <Dialog
      title="What takes an approval"
      action="Save"
      disabled={!aliases.every(isAlias)}
      onSubmit={() => onPolicy({ stages, aliases })}
      onClose={onClose}
    >
      {STAGES.filter((stage) => stage !== ModelStage.NONE).map((stage) => (
        <label key={stage} class="checked">
          <input type="checkbox" checked={stages.includes(stage)} onChange={() => toggle(stage)} />
          Moving a version to {stageName(stage)}
        </label>
      ))}
      <Field label="Setting these aliases" hint="with blanks between them">
        <input class="field" value={text} onInput={(event) => setText(event.currentTarget.value)} />
      </Field>
    </Dialog>
  );
}
