/** Envelopes of a stream: a byte of flags, four of length, and a message. Pure: bytes in, messages out. */

const COMPRESSED = 1;
const END = 2;

/** Returns a message in its envelope. */
export function enveloped(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(5 + message.length);
  new DataView(out.buffer).setUint32(1, message.length);
  out.set(message, 5);
  return out;
}

/** Reads envelopes out of pieces of a body, however they are cut. */
export class EnvelopeReader {
  #waiting: Uint8Array[] = [];
  #length = 0;
  /** JSON that ended the stream; undefined before its end. */
  end: string | undefined;

  /** Returns the messages that are complete with this piece. */
  take(piece: Uint8Array): Uint8Array[] {
    this.#waiting.push(piece);
    this.#length += piece.length;
    const messages: Uint8Array[] = [];
    while (this.#length >= 5) {
      const all = this.#all();
      const size = new DataView(all.buffer, all.byteOffset).getUint32(1);
      if (all.length < 5 + size) break;
      const flags = all[0]!;
      const message = all.subarray(5, 5 + size);
      this.#waiting = [all.subarray(5 + size)];
      this.#length -= 5 + size;
      if (flags & COMPRESSED) throw new Error("a compressed message, which was not asked for");
      if (flags & END) this.end = new TextDecoder().decode(message);
      else messages.push(message);
    }
    return messages;
  }

  #all(): Uint8Array {
    if (this.#waiting.length === 1) return this.#waiting[0]!;
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#waiting) {
      all.set(piece, at);
      at += piece.length;
    }
    this.#waiting = [all];
    return all;
  }
}
