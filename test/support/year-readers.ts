import { readFileSync } from 'node:fs';
import type { PinnedIssuer, TlsTrust } from '../../pki/trust.ts';
import { RELOAD_MS } from './year-plan.ts';

/** What a front and a router have files of: whom they trust, and what these took back. */
export interface Published {
  readonly issuers: readonly PinnedIssuer[];
  readonly crlFiles: readonly string[];
}

export interface Files {
  readonly issuers: readonly PinnedIssuer[];
  readonly crls: readonly string[];
}

/** A front's or a router's trust, and the files behind it, which are read again within the bound. */
export class Reader<Trust extends Pick<TlsTrust, 'replace' | 'replaceCrls'>> {
  readonly trust: Trust;
  readonly #published: () => Published;
  readonly #everyMs: number;
  #turn = -1;
  #inForce: Files;

  constructor(published: () => Published, open: (files: Files) => Trust, everyMs = RELOAD_MS) {
    this.#published = published;
    this.#everyMs = everyMs;
    this.#inForce = this.#read();
    this.trust = open(this.#inForce);
  }

  readAgain(nowMs: number): void {
    const turn = Math.floor(nowMs / this.#everyMs);
    if (turn === this.#turn) return;
    this.#turn = turn;
    const { issuers, crls } = this.#inForce;
    const now = this.#read();
    if (now.issuers.map(pem).join() !== issuers.map(pem).join()) this.trust.replace(now);
    else if (now.crls.some((list, at) => list !== crls[at])) this.trust.replaceCrls(now.crls);
    this.#inForce = now;
  }

  #read(): Files {
    const { issuers, crlFiles } = this.#published();
    return { issuers, crls: crlFiles.map((file) => readFileSync(file, 'utf8')) };
  }
}

const pem = ({ certificate }: PinnedIssuer): string => String(certificate);
