/**
 * The socket of this tab, over which streams stay open for as long as somebody looks.
 *
 * It is there while there are streams and the tab is seen. One that broke comes back after 1, 2, 4 … 30 seconds, and each
 * stream goes on from where it was: what it asks for is made anew at every opening.
 */

import { type DescMethodServerStreaming, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import type { DescMessage } from "@bufbuild/protobuf";
import { signal } from "@preact/signals";
import { signedOut } from "./calls.ts";
import { type Failure, failureOf } from "./failure.ts";
import { cancelFrame, openFrame, parseFrame } from "./live_frames.ts";

/** State of the socket: "waiting" until it is tried again. */
export type Connection = "idle" | "connecting" | "open" | "waiting";
export const connection = signal<Connection>("idle");

const LONGEST_MILLIS = 30_000;

interface Stream {
  path: string;
  /** Bytes of the request, as of now. */
  request: () => Uint8Array;
  onMessage: (data: Uint8Array) => void;
  onFailure: (failure: Failure) => void;
}

const streams = new Map<number, Stream>();
let socket: WebSocket | undefined;
let last = 0;
let pause = 1000;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Opens a stream; the function that is returned ends it. */
export function watch<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  request: () => Uint8Array,
  onMessage: (message: MessageShape<O>) => void,
  onFailure: (failure: Failure) => void,
): () => void {
  const number = ++last;
  streams.set(number, {
    path: `${method.parent.typeName}/${method.name}`,
    request,
    onMessage: (data) => onMessage(fromBinary(method.output, data)),
    onFailure,
  });
  if (socket?.readyState === WebSocket.OPEN) open(number);
  else connect();
  return () => {
    if (!streams.delete(number)) return;
    if (socket?.readyState === WebSocket.OPEN) socket.send(cancelFrame(number));
    if (streams.size === 0) close();
  };
}

function connect(): void {
  if (socket || timer || document.hidden || streams.size === 0) return;
  connection.value = "connecting";
  const opened = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  socket = opened;
  opened.binaryType = "arraybuffer";
  opened.onopen = () => {
    connection.value = "open";
    for (const number of streams.keys()) open(number);
  };
  opened.onmessage = (event) => {
    const frame = parseFrame(event.data as ArrayBuffer);
    const stream = frame && streams.get(frame.stream);
    if (!frame || !stream) return;
    if (frame.kind === "message") {
      pause = 1000;
      stream.onMessage(frame.data);
    } else if (frame.kind === "end") again(frame.stream);
    else fail(frame.stream, failureOf(JSON.parse(new TextDecoder().decode(frame.data)), 200));
  };
  opened.onclose = () => {
    if (socket !== opened) return;
    socket = undefined;
    if (streams.size === 0 || document.hidden) return void (connection.value = "idle");
    connection.value = "waiting";
    timer = setTimeout(() => {
      timer = undefined;
      connect();
    }, longer());
  };
}

function open(number: number): void {
  const stream = streams.get(number)!;
  socket!.send(openFrame(number, stream.path, stream.request()));
}

// A stream by itself broke off: the others of the socket go on.
function again(number: number): void {
  setTimeout(() => {
    if (streams.has(number) && socket?.readyState === WebSocket.OPEN) open(number);
  }, longer());
}

function fail(number: number, failure: Failure): void {
  if (failure.code === "unauthenticated") signedOut.value = true;
  if (failure.passes || failure.code === "internal") return again(number);
  const stream = streams.get(number)!;
  streams.delete(number);
  stream.onFailure(failure);
}

function longer(): number {
  const millis = pause;
  pause = Math.min(LONGEST_MILLIS, pause * 2);
  return millis;
}

function close(): void {
  clearTimeout(timer);
  timer = undefined;
  connection.value = "idle";
  socket?.close();
  socket = undefined;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) close();
  else {
    pause = 1000;
    connect();
  }
});
