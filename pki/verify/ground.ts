import { type Anchors, type PinnedIssuer, pinAuthorities } from './anchors.ts';
import { type Ending, endingsOf } from './endings.ts';
import { loadRevocations, type RevocationList } from './revocations.ts';
import { FIELD, type World } from './worlds.ts';

export interface GroundOptions {
  readonly root: string | Uint8Array;
  readonly issuers: readonly PinnedIssuer[];
  readonly crls?: readonly (string | Uint8Array)[];
  /** How long after its next update a list still counts; 0, unless told: then its CA's certificates are refused. */
  readonly crlGraceMs?: number;
  /** Development keys are refused unless this is said. */
  readonly development?: boolean;
  /** Field where it is left out. */
  readonly world?: World;
}

/** What a service that believes certificates lets be seen and changed of its ground. */
export interface Grounded {
  readonly revocations: RevocationList;
  /** When the CAs and their lists end; those of the office behind `office.` */
  readonly endings: readonly Ending[];
  /** Put newer revocation lists in force. @throws ERR_TRUST_CRL, ERR_TRUST_MALFORMED; then the old ones stay */
  replaceCrls(crls: readonly (string | Uint8Array)[]): void;
  /**
   * Put other issuing CAs in force with their lists, as in a roll-over; what was remembered of certificates is
   * forgotten.
   * @throws as the trust when it was made; then all stays as it was
   */
  replace(what: Pick<GroundOptions, 'issuers' | 'crls'>): void;
}

/**
 * What all belief stands on: a root, the issuing CAs that are pinned below it, and what these have taken back. CAs and
 * lists may be replaced while they are asked.
 */
export class Ground implements Grounded {
  readonly #options: GroundOptions;
  #anchors: Anchors;
  #revocations: RevocationList;

  /** @throws ERR_TRUST_ROOT, ERR_TRUST_AUTHORITY, ERR_TRUST_DEVELOPMENT, ERR_TRUST_CRL, ERR_TRUST_MALFORMED */
  constructor(options: GroundOptions) {
    this.#options = options;
    this.#anchors = pinAuthorities(options);
    this.#revocations = loadRevocations(options.crls ?? [], this.#anchors.authorities, {
      graceMs: options.crlGraceMs ?? 0,
    });
  }

  /** Another object once CAs were replaced. */
  get anchors(): Anchors {
    return this.#anchors;
  }

  get revocations(): RevocationList {
    return this.#revocations;
  }

  get endings(): readonly Ending[] {
    const { world = FIELD } = this.#options;
    return endingsOf(this.#anchors, this.#revocations, world === FIELD ? '' : `${world.name}.`);
  }

  /** For the sweep over live sessions after something was replaced: also where its CA is not trusted any more. */
  isRevoked({ issuer, serial }: { readonly issuer: string; readonly serial: string }): boolean {
    return !this.#anchors.authorities.has(issuer) || this.#revocations.has(issuer, serial);
  }

  replaceCrls(crls: readonly (string | Uint8Array)[]): void {
    this.#revocations = loadRevocations(crls, this.#anchors.authorities, { previous: this.#revocations });
  }

  replace({ issuers, crls = [] }: Pick<GroundOptions, 'issuers' | 'crls'>): void {
    const anchors = pinAuthorities({ ...this.#options, issuers });
    this.#revocations = loadRevocations(crls, anchors.authorities, { previous: this.#revocations });
    this.#anchors = anchors;
  }
}
