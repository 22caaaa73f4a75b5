import type { PortState } from './source.ts';

/** Why a link could not be opened or is no more. */
export interface LinkTrouble {
  readonly state: PortState;
  /** The system's own code, for the log. */
  readonly code?: string;
}

export interface OpenLink {
  /** Settles once, when the link is no more; never rejects. */
  readonly closed: Promise<LinkTrouble>;
  close(): void;
  /** Nothing has come for a moment: look whether it is still there at all; if not, `closed` settles. */
  check?(): void;
}

export interface LinkCalls {
  readonly data: (block: Uint8Array) => void;
  /** How long opening may take. */
  readonly timeoutMs: number;
  /** Ends opening; an open link is ended by its `close`. */
  readonly signal: AbortSignal;
}

/** A way to bytes: what differs between a serial port, a bridge and a file. */
export interface Link {
  /** Ways in which the port can be set, tried in turn; at least one. Null where there is nothing to set. */
  readonly modes: readonly (string | null)[];
  /** A file is read once; a port is opened again and again. */
  readonly isPort: boolean;
  /** Never rejects: what goes wrong is a trouble. */
  open(mode: string | null, calls: LinkCalls): Promise<OpenLink | LinkTrouble>;
}

export function isTrouble(opened: OpenLink | LinkTrouble): opened is LinkTrouble {
  return 'state' in opened;
}
