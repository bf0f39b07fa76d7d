/** Changes that a screen makes: what was refused is told, and reads behind a change hold it. */

import { useState } from "preact/hooks";
import type { Position } from "../../contract/fleetlog/v1/position_pb.ts";
import { asFailure } from "../api/failure.ts";
import { joined } from "../view/positions.ts";

/** State of the changes of a screen. */
export interface Changing {
  /** Position that later reads must hold; undefined before the first change. */
  atLeast: Position | undefined;
  /** Number of changes, for the keys of reads. */
  count: number;
  busy: boolean;
  refused: string;
  /** Makes a change; true once it is durable. */
  make: (change: () => Promise<Position | undefined>) => Promise<boolean>;
  forget: () => void;
}

/** See the file. */
export function useChanging(): Changing {
  const [state, set] = useState({
    atLeast: undefined as Position | undefined,
    count: 0,
    busy: false,
    refused: "",
  });
  return {
    ...state,
    make: async (change) => {
      set((before) => ({ ...before, busy: true, refused: "" }));
      try {
        const atLeast = await change();
        set((before) => ({
          atLeast: joined(before.atLeast, atLeast),
          count: before.count + 1,
          busy: false,
          refused: "",
        }));
        return true;
      } catch (error) {
        set((before) => ({ ...before, busy: false, refused: asFailure(error).message }));
        return false;
      }
    },
    forget: () => set((before) => ({ ...before, refused: "" })),
  };
}

/** Bar that tells of a change that was refused. */
export function Refused({ message, onClose }: { message: string; onClose: () => void }) {
  if (!message) return null;
  return (
    <div class="strip bad" role="alert">
      Not changed: {message} <button type="button" class="plain" aria-label="close" onClick={onClose}>✕</button>
    </div>
  );
}
