/** Artifacts of a run: what there is, and a look at one of them. What is looked at can act on nothing. */

import { useState } from "preact/hooks";
import { call } from "../api/calls.ts";
import { asOf } from "../api/reads.ts";
import { Failure, failureOf } from "../api/failure.ts";
import type { Artifact } from "../../contract/fleetlog/v1/artifact_pb.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import { byteSize, grouped, localTime, utcTime } from "../view/numbers.ts";
import { rowsOf } from "../view/tables.ts";
import { treeOf } from "../view/tree.ts";
import { useLoad } from "./load.ts";
import { Markdown } from "./note.tsx";
import { Empty, Failed, Skeleton } from "./states.tsx";

const LOOK_BYTES = 1_048_576;
const ROWS = 500;
/** Files up to which all folders are open at first. */
const FEW = 30;

/** See the file. */
export function Artifacts({ namespace, run, asof }: { namespace: string; run: string; asof: string }) {
  const [chosen, setChosen] = useState("");
  // Folders that are not as they are at first.
  const [turned, setTurned] = useState<ReadonlySet<string>>(new Set());
  const listed = useLoad(`${namespace} ${run} ${asof}`, async (signal) => {
    const all: Artifact[] = [];
    let pageToken = "";
    do {
      const page = await call(QueryService.method.listArtifacts, {
        namespace,
        runId: run,
        pageSize: 10_000,
        pageToken,
        asOf: asOf(asof),
      }, signal);
      all.push(...page.artifacts);
      pageToken = page.nextPageToken;
    } while (pageToken);
    return all;
  });
  if (listed.failure && !listed.value) return <Failed failure={listed.failure} retry={listed.retry} />;
  if (!listed.value) return <Skeleton rows={6} />;
  if (listed.value.length === 0) {
    return (
      <Empty title={asof ? "No artifacts at that time" : "No artifacts"}>
        <p>
          A run keeps files with <code>run.log_artifact("model.pt")</code>.
        </p>
      </Empty>
    );
  }
  const shown = listed.value.find((each) => each.path === chosen) ?? listed.value[0]!;
  const files = listed.value.map((each) => ({ path: each.path, bytes: Number(each.sizeBytes) }));
  const rows = treeOf(files, (folder) => turned.has(folder) !== files.length <= FEW);
  const toggle = (folder: string) => {
    const next = new Set(turned);
    if (!next.delete(folder)) next.add(folder);
    setTurned(next);
  };
  const url = rawUrl(namespace, run, shown.path, asof);
  return (
    <div class="artifacts">
      <ul class="files" role="tree" aria-label="Artifacts">
        {rows.map((each) => (
          <li
            key={`${each.files === undefined ? "file" : "folder"} ${each.path}`}
            role="treeitem"
            aria-level={each.depth + 1}
            aria-selected={each.files === undefined && each.path === shown.path}
            aria-expanded={each.files === undefined ? undefined : each.open}
          >
            <button
              type="button"
              class={each.files === undefined ? "" : "folder"}
              style={{ paddingLeft: `${10 + 14 * each.depth}px` }}
              onClick={() => each.files === undefined ? setChosen(each.path) : toggle(each.path)}
              title={visible(each.path)}
            >
              <span>{visible(each.name)}</span>
              <small>{each.files === undefined ? byteSize(each.bytes) : grouped(each.files)}</small>
            </button>
          </li>
        ))}
      </ul>
      <div class="look">
        <header>
          <h3>{visible(shown.path)}</h3>
          <span class="quiet">
            {byteSize(Number(shown.sizeBytes))} ·{" "}
            <span title={utcTime(Number(shown.ingestTimeMillis))}>
              {localTime(Number(shown.ingestTimeMillis))}
            </span>
          </span>
          <span class="fill" />
          <a class="button" href={url} download={shown.path.split("/").pop()}>
            Download
          </a>
        </header>
        <Look key={url} url={url} artifact={shown} />
        <p class="quiet digest">
          SHA-256 <code>{[...shown.sha256].map((byte) => byte.toString(16).padStart(2, "0")).join("")}</code>
        </p>
      </div>
    </div>
  );
}

interface Bytes {
  type: string;
  text: string;
  whole: boolean;
}

function Look({ url, artifact }: { url: string; artifact: Artifact }) {
  const size = Number(artifact.sizeBytes);
  const found = useLoad(url, async (signal): Promise<Bytes> => {
    if (size === 0) return { type: "empty", text: "", whole: true };
    const head = await read(url, { method: "HEAD", signal });
    const type = (head.headers.get("content-type") ?? "").split(";")[0]!.trim();
    if (!/^text\/|json|xml/.test(type) || type === "text/html") return { type, text: "", whole: true };
    const body = await read(url, { headers: { range: `bytes=0-${LOOK_BYTES - 1}` }, signal });
    return { type, text: await body.text(), whole: size <= LOOK_BYTES };
  });
  if (found.failure) return <Failed failure={found.failure} retry={found.retry} />;
  if (!found.value) return <Skeleton rows={5} />;
  const { type, text, whole } = found.value;
  const name = artifact.path.toLowerCase();
  const shown = type === "empty"
    ? <p class="quiet">This file is empty.</p>
    : type.startsWith("image/")
    ? (type === "image/svg+xml"
      ? <iframe sandbox="" title={artifact.path} src={url} />
      : <img src={url} alt={artifact.path} />)
    : type === "text/html"
    ? <iframe sandbox="" title={artifact.path} src={url} />
    : type.startsWith("audio/")
    ? <audio controls src={url} />
    : type.startsWith("video/")
    ? <video controls src={url} />
    : text === ""
    ? <p class="quiet">There is no preview of this kind of file.</p>
    : name.endsWith(".md")
    ? <Markdown text={text} />
    : name.endsWith(".csv") || name.endsWith(".tsv")
    ? <Cells rows={rowsOf(text, name.endsWith(".tsv") ? "\t" : ",", ROWS)} />
    : <pre class="code">{name.endsWith(".json") && whole ? indented(text) : text}</pre>;
  return (
    <div class="preview" data-type={type} data-state="ready">
      {shown}
      {!whole && <p class="quiet">The first {byteSize(LOOK_BYTES)} of {byteSize(size)}.</p>}
    </div>
  );
}

function Cells({ rows }: { rows: string[][] }) {
  const [head, ...body] = rows;
  return (
    <table class="list">
      <thead>
        <tr>{head?.map((cell, at) => <th key={at}>{cell}</th>)}</tr>
      </thead>
      <tbody>
        {body.map((row, at) => <tr key={at}>{row.map((cell, place) => <td key={place}>{cell}</td>)}</tr>)}
      </tbody>
    </table>
  );
}

async function read(url: string, options: RequestInit): Promise<Response> {
  const response = await fetch(url, options).catch((error) => {
    if (options.signal?.aborted) throw error;
    throw new Failure("unavailable", "the server does not answer", "SERVER_AWAY");
  });
  if (!response.ok) throw failureOf(await response.json().catch(() => null), response.status);
  return response;
}

function rawUrl(namespace: string, run: string, path: string, asof: string): string {
  const place = `/raw/${encodeURIComponent(namespace)}/${run}/${path.split("/").map(encodeURIComponent).join("/")}`;
  return asof ? `${place}?as_of=${encodeURIComponent(asof)}` : place;
}

function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// Signs that turn the direction of a text around could make a name look like another.
function visible(path: string): string {
  return path.replace(/[\u202a-\u202e\u2066-\u2069\u200e\u200f]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16)}`);
}
