/** Requests for approvals of a model: what is asked, by whom, and the decision. */

import { useState } from "preact/hooks";
import { type Approval, ApprovalState } from "../../contract/fleetlog/v1/model_approval_pb.ts";
import type { ModelChanges } from "../api/models.ts";
import { approvalWord, archivesOthers, requestWords } from "../view/registry.ts";
import type { Changing } from "./changing.tsx";
import { Dialog, Field } from "./dialog.tsx";
import { Time } from "./facts.tsx";
import { Markdown } from "./note.tsx";
import { Empty } from "./states.tsx";

/** See the file. Those that wait for a decision come first. */
export function Approvals({ approvals, mayDecide, changes, changing }: {
  approvals: readonly Approval[];
  mayDecide: boolean;
  changes: ModelChanges;
  changing: Changing;
}) {
  const [asked, setAsked] = useState<{ approval: Approval; approve: boolean }>();
  const sorted = approvals.toSorted((left, right) =>
    order(left) - order(right) || (left.number < right.number ? 1 : -1)
  );
  if (sorted.length === 0) {
    return (
      <Empty title="No requests">
        <p>
          Nobody asked for a stage or an alias. Move a version on its page; where that takes an approval, it is asked
          for.
        </p>
      </Empty>
    );
  }
  return (
    <>
      <table class="list requests">
        <thead>
          <tr>
            <th class="right">Request</th>
            <th>Asks for</th>
            <th>State</th>
            <th>Asked by</th>
            <th>Asked</th>
            <th>Decided by</th>
            <th>Decided</th>
            <th aria-label="actions" />
          </tr>
        </thead>
        <tbody>
          {sorted.map((each) => (
            <tr key={String(each.number)} data-request={String(each.number)}>
              <td class="right">{String(each.number)}</td>
              <td>
                {requestWords(each)}
                {each.archiveExisting && each.change.case === "stage" && archivesOthers(each.change.value) && (
                  <span class="quiet">, others archived</span>
                )}
                {each.comment && <Markdown text={each.comment} quiet />}
              </td>
              <td>
                <span class={`badge ${approvalWord(each.state)}`}>{approvalWord(each.state)}</span>
              </td>
              <td>{each.user || <span class="none">–</span>}</td>
              <td>
                <Time millis={each.createTimeMillis} />
              </td>
              <td>
                {each.decisionUser || <span class="none">–</span>}
                {each.decisionComment && <Markdown text={each.decisionComment} quiet />}
              </td>
              <td>
                <Time millis={each.decisionTimeMillis} />
              </td>
              <td class="right deeds">
                {each.state === ApprovalState.PENDING && mayDecide && (
                  <>
                    <button
                      type="button"
                      class="button"
                      disabled={changing.busy}
                      onClick={() => setAsked({ approval: each, approve: false })}
                    >
                      Reject
                    </button>
                    <button
                      type="button"
                      class="button primary"
                      disabled={changing.busy}
                      onClick={() => setAsked({ approval: each, approve: true })}
                    >
                      Approve
                    </button>
                  </>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {asked && (
        <Decision
          {...asked}
          busy={changing.busy}
          onDecide={async (comment) => {
            await changing.make(() => changes.decide(asked.approval.number, asked.approve, comment));
            setAsked(undefined);
          }}
          onClose={() => setAsked(undefined)}
        />
      )}
    </>
  );
}

function Decision({ approval, approve, busy, onDecide, onClose }: {
  approval: Approval;
  approve: boolean;
  busy: boolean;
  onDecide: (comment: string) => void;
  onClose: () => void;
}) {
  const [comment, setComment] = useState("");
  return (
    <Dialog
      title={`${approve ? "Approve" : "Reject"} request ${approval.number}`}
      action={approve ? "Approve" : "Reject"}
      danger={!approve}
      disabled={busy}
      onSubmit={() => onDecide(comment)}
      onClose={onClose}
    >
      <p>
        It asks for <b>{requestWords(approval)}</b>
        {approve ? ", which is done at once." : "."}
      </p>
      <Field label="Comment" hint="for who asked, and for the history">
        <textarea autofocus rows={3} value={comment} onInput={(event) => setComment(event.currentTarget.value)} />
      </Field>
    </Dialog>
  );
}

function order(approval: Approval): number {
  return approval.state === ApprovalState.PENDING ? 0 : 1;
}
