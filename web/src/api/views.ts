/** Saved views: names of addresses that a namespace shares, kept as documents of the kind "view". */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { call } from "./calls.ts";
import type { DocumentPutSchema } from "../../contract/fleetlog/v1/document_event_pb.ts";
import { DocumentQueryService, DocumentService } from "../../contract/fleetlog/v1/document_pb.ts";
import type { Position } from "../../contract/fleetlog/v1/position_pb.ts";
import { formatSaved, parseSaved, type SavedView } from "../view/saved.ts";

const KIND = "view";

/** View with where it is kept. */
export interface KeptView extends SavedView {
  id: string;
  revision: bigint;
  user: string;
  updateTimeMillis: number;
}

/** Returns the views of an experiment, or those of all runs, by name. */
export async function listViews(
  namespace: string,
  experiment: number | undefined,
  atLeast: Position | undefined,
  signal: AbortSignal,
): Promise<KeptView[]> {
  const answer = await call(DocumentQueryService.method.listDocuments, {
    namespace,
    kind: KIND,
    parentIds: [parentOf(experiment)],
    pageSize: 1000,
    ...(atLeast ? { atLeast } : {}),
  }, signal);
  const views = answer.documents.flatMap((each) => {
    const view = parseSaved(each.body);
    return view
      ? [{
        ...view,
        id: each.documentId,
        revision: each.revision,
        user: each.updateUser || each.createUser,
        updateTimeMillis: Number(each.updateTimeMillis),
      }]
      : [];
  });
  return views.sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** Saves a view, in the place of `before` where one is given. Failure DOCUMENT_EXISTS when the name is taken. */
export async function saveView(
  namespace: string,
  experiment: number | undefined,
  view: SavedView,
  before?: KeptView,
): Promise<Position | undefined> {
  const parentId = parentOf(experiment);
  return await put(namespace, {
    kind: KIND,
    documentId: before?.id ?? randomId(),
    parentId,
    uniqueKey: `${parentId}/${view.name}`,
    body: formatSaved(view),
    expectedRevision: before?.revision ?? 0n,
  });
}

/** Deletes a view. */
export async function deleteView(namespace: string, view: KeptView): Promise<Position | undefined> {
  return await put(namespace, {
    kind: KIND,
    documentId: view.id,
    expectedRevision: view.revision,
    deleted: true,
  });
}

type Put = MessageInitShape<typeof DocumentPutSchema>;

async function put(namespace: string, document: Put): Promise<Position | undefined> {
  const requestId = crypto.getRandomValues(new Uint8Array(16));
  return (await call(DocumentService.method.putDocuments, { namespace, requestId, documents: [document] })).position;
}

function parentOf(experiment: number | undefined): string {
  return experiment === undefined ? "all" : String(experiment);
}

function randomId(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((each) => each.toString(16).padStart(2, "0")).join("");
}
