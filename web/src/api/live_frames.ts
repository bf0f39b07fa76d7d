/** Frames of the socket /live: several streams on one connection. Pure: bytes in, frames out. */

const HEAD = 5;
const OPEN = 0;
const CANCEL = 1;

/** Frame of the server. */
export interface Frame {
  stream: number;
  kind: "message" | "end" | "error";
  data: Uint8Array;
}

const KINDS = ["message", "end", "error"] as const;

/** Returns the frame that opens a stream. */
export function openFrame(stream: number, path: string, request: Uint8Array): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(path);
  const frame = new Uint8Array(HEAD + 1 + name.length + request.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, stream);
  view.setUint8(4, OPEN);
  view.setUint8(5, name.length);
  frame.set(name, HEAD + 1);
  frame.set(request, HEAD + 1 + name.length);
  return frame;
}

/** Returns the frame that cancels a stream. */
export function cancelFrame(stream: number): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEAD);
  new DataView(frame.buffer).setUint32(0, stream);
  frame[4] = CANCEL;
  return frame;
}

/** Returns the frame of some bytes; undefined of what is none that this version knows. */
export function parseFrame(bytes: ArrayBuffer): Frame | undefined {
  if (bytes.byteLength < HEAD) return undefined;
  const view = new DataView(bytes);
  const kind = KINDS[view.getUint8(4)];
  return kind && { stream: view.getUint32(0), kind, data: new Uint8Array(bytes, HEAD) };
}
