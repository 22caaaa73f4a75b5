import type { P1MeterState } from './state.ts';
import type { TelegramBegin, TelegramEnd, TelegramWriter } from './writer.ts';

/** Prints one line, or a few that belong together. */
export type Line = (out: TelegramWriter, state: P1MeterState) => void;

/** How bytes go over the wire: speed in baud, data bits, parity, stop bits. */
export type LineSetting = '115200 8N1' | '9600 7E1';

/** How the port of a dialect's meters behaves, apart from what it prints. */
export interface DialectPort {
  readonly line: LineSetting;
  /** From the beginning of a telegram to that of the next one. */
  readonly periodSeconds: number;
  readonly crc: boolean;
  /** Sent as general-glo-ciphering (`sealed.ts`); what `encode.ts` prints is what is inside. */
  readonly encrypted: boolean;
  /** A first line of the dialect's form, without its `/`. It says that the meter is simulated. */
  readonly header: string;
}

export interface P1DialectRow extends DialectPort {
  /** The document and its version, or whose meters were seen to print so. */
  readonly after: string;
  readonly begins: TelegramBegin;
  readonly ends: TelegramEnd;
  readonly lines: readonly Line[];
}

type RowParts = Pick<P1DialectRow, 'after' | 'header' | 'lines'> &
  Partial<Pick<P1DialectRow, 'line' | 'periodSeconds' | 'encrypted' | 'begins' | 'ends'>>;

/** A row; what is left out is as DSMR 5 and e-MUCS have it. */
export function dialect(parts: RowParts): P1DialectRow {
  const { ends = 'crc' } = parts;
  return {
    line: '115200 8N1',
    periodSeconds: 1,
    encrypted: false,
    begins: 'blank line',
    ...parts,
    ends,
    crc: ends === 'crc' || ends === 'short crc',
  };
}
