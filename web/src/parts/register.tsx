/** Dialog that registers a run as the next version of a model. */

import { useState } from "preact/hooks";
import { asFailure } from "../api/failure.ts";
import { searchModels } from "../api/models.ts";
import { register, type Selection } from "../api/select.ts";
import { go, hrefOf } from "../state.ts";
import { isAlias } from "../view/registry.ts";
import { Dialog, Field } from "./dialog.tsx";
import { useLoad, useRested } from "./load.ts";

const TYPING_MILLIS = 150;

/** See the file. A version that a selection chose keeps it, and it can be repeated. */
export function RegisterDialog({ namespace, run, selection, mayAlias, onClose }: {
  namespace: string;
  run: { id: string; name: string };
  selection?: Selection | undefined;
  mayAlias: boolean;
  onClose: () => void;
}) {
  const [model, setModel] = useState("");
  const [path, setPath] = useState("");
  const [alias, setAlias] = useState("");
  const [description, setDescription] = useState("");
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState("");
  const contains = useRested(model.trim(), TYPING_MILLIS);
  const known = useLoad(
    `${namespace} ${contains}`,
    (signal) => searchModels({ namespace, asof: "", atLeast: undefined }, contains, "", signal),
  );
  const aliases = alias.split(/[\s,]+/).filter((each) => each !== "");
  const valid = model.trim() !== "" && !/[/:]/.test(model) && aliases.every(isAlias);
  const submit = async () => {
    setBusy(true);
    setRefused("");
    try {
      const name = model.trim();
      const version = await register({
        namespace,
        model: name,
        runId: run.id,
        artifactPath: path.trim(),
        aliases,
        description: description.trim(),
        selection,
      });
      go(hrefOf({ screen: "version", namespace, model: name, version }));
    } catch (error) {
      setRefused(asFailure(error).message);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={`Register ${run.name || run.id.slice(0, 12)}`}
      action="Register"
      disabled={!valid || busy}
      onSubmit={submit}
      onClose={onClose}
    >
      <Field label="Model" hint="a new one, or one that is there: it gets the next version">
        <input
          class="field"
          list="models"
          autofocus
          value={model}
          onInput={(event) => setModel(event.currentTarget.value)}
        />
        <datalist id="models">
          {(known.value?.items ?? []).slice(0, 50).map((each) => <option key={each.name} value={each.name} />)}
        </datalist>
      </Field>
      <Field label="Artifact" hint="file or folder of the run that is the model; empty: all of them">
        <input class="field" value={path} onInput={(event) => setPath(event.currentTarget.value)} />
      </Field>
      {mayAlias && (
        <Field label="Aliases" hint="with blanks between them">
          <input class="field" value={alias} onInput={(event) => setAlias(event.currentTarget.value)} />
        </Field>
      )}
      <Field label="Description" hint="in Markdown">
        <textarea rows={3} value={description} onInput={(event) => setDescription(event.currentTarget.value)} />
      </Field>
      {selection && <p class="quiet">The version keeps what was asked here and at which position of the log.</p>}
      {refused && <p class="bad" role="alert">Not registered: {refused}</p>}
    </Dialog>
  );
}
