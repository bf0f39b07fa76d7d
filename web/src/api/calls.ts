/**
 * Calls to the server that gave this page: POST of a message's bytes, streams in envelopes.
 *
 * What goes wrong is a Failure. An abort by the page itself is a DOMException named AbortError, as fetch has it.
 */

import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { signal } from "@preact/signals";
import { enveloped, EnvelopeReader } from "./envelopes.ts";
import { Failure, failureOf } from "./failure.ts";

/** True while the server that gave the page does not answer. */
export const away = signal(false);
/** True while the server asks for a token that this page has not shown. */
export const signedOut = signal(false);
/** True once a call was answered by a server with other pages than this one. */
export const outdated = signal(false);

const VERSION_HEADER = "x-fleetlog-ui";
const OWN_VERSION = /\/v\/([^/]+)\//.exec(import.meta.url)?.[1];

const AT_ONCE = 4;
let streaming = 0;
const waiting: (() => void)[] = [];

/** Calls a method, and returns its answer. */
export async function call<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  signal?: AbortSignal,
): Promise<MessageShape<O>> {
  const body = toBinary(method.input, create(method.input, request)) as Uint8Array<ArrayBuffer>;
  const response = await post(method, body, "application/proto", signal);
  return fromBinary(method.output, new Uint8Array(await response.arrayBuffer()));
}

/** Calls a method that answers with a stream. At most four streams are open at once; others wait for their turn. */
export async function* stream<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  signal?: AbortSignal,
): AsyncGenerator<MessageShape<O>> {
  const body = enveloped(toBinary(method.input, create(method.input, request)));
  await turn();
  try {
    signal?.throwIfAborted();
    const response = await post(method, body, "application/connect+proto", signal);
    const reader = new EnvelopeReader();
    const pieces = response.body!.getReader();
    try {
      while (reader.end === undefined) {
        const { done, value } = await pieces.read();
        if (done) throw new Failure("unavailable", "the answer broke off");
        for (const message of reader.take(value)) yield fromBinary(method.output, message);
      }
    } finally {
      await pieces.cancel();
    }
    const ended = JSON.parse(reader.end || "{}") as { error?: unknown };
    if (ended.error) throw told(failureOf(ended.error, 200));
  } finally {
    streaming--;
    waiting.shift()?.();
  }
}

async function turn(): Promise<void> {
  while (streaming >= AT_ONCE) await new Promise<void>((go) => waiting.push(go));
  streaming++;
}

async function post(
  method: { name: string; parent: { typeName: string } },
  body: Uint8Array<ArrayBuffer>,
  contentType: string,
  signal?: AbortSignal,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`/${method.parent.typeName}/${method.name}`, {
      method: "POST",
      headers: { "content-type": contentType, "connect-protocol-version": "1" },
      body,
      signal: signal ?? null,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    away.value = true;
    throw new Failure("unavailable", "the server does not answer", "SERVER_AWAY");
  }
  away.value = false;
  const version = response.headers.get(VERSION_HEADER);
  if (version && OWN_VERSION && version !== OWN_VERSION) outdated.value = true;
  if (response.ok) return response;
  throw told(failureOf(await response.json().catch(() => null), response.status));
}

function told(failure: Failure): Failure {
  if (failure.code === "unauthenticated") signedOut.value = true;
  return failure;
}
