import { createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import { type Authority, createAuthority } from '../../pki/ca/authority.ts';
import { openRegister, type Register } from '../../pki/ca/register.ts';
import { createEnrolment, type Enrolment } from '../../pki/est/enrolment.ts';
import { keepInCrlFile } from '../../pki/files/crl-file.ts';
import { makeNotice } from '../../pki/notice/notice.ts';
import { makeIssuing } from '../../pki/testing/field.ts';
import { sealingKid } from '../../pki/trust.ts';
import { newKeyPair, type SigningAuthority } from '../../pki/x509/certify.ts';
import type { SealingKey } from '../../protocol/envelope.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { DAY_MS, LIFE_DAYS, LIST_DAYS } from './year-plan.ts';
import type { Published } from './year-readers.ts';

/** One operator's CA through a year: its register, its issuing keys as they come and go, and its notices. */

const YEARS_OF_A_CA = 10 * 365;

/** To whom devices are to seal. */
export interface Sealing {
  readonly key: SealingKey;
  /** PEM: its own certificate, and then its CA's. */
  readonly certificate: string;
  /** The operator's word to its devices that says so, by the newest issuing CA. */
  readonly notice: Uint8Array;
}

interface AtWork {
  /** For devices, whose certificates end soon. */
  readonly authority: Authority;
  /** The same CA for what lives as long as its profile says. */
  readonly services: Authority;
  readonly enrolment: Enrolment;
}

export class YearCa {
  readonly tenant: TenantId;
  readonly register: Register;
  readonly #options: YearCaOptions;
  readonly #crlFile: string;
  /** The one that certifies, and those that are trusted beside it. */
  #issuers: readonly [SigningAuthority, ...SigningAuthority[]];
  #atWork: AtWork;

  constructor(options: YearCaOptions) {
    const { tenant, folder, clock } = options;
    this.tenant = tenant;
    this.#options = options;
    this.register = openRegister({ path: join(folder, `${tenant}.db`), owner: tenant, clock });
    this.#crlFile = join(folder, `${tenant}.crl.pem`);
    this.#issuers = [this.#newIssuer()];
    this.#atWork = this.#open();
  }

  get authority(): Authority {
    return this.#atWork.authority;
  }

  get enrolment(): Enrolment {
    return this.#atWork.enrolment;
  }

  published(): Published {
    const { tenant } = this;
    return {
      issuers: this.#issuers.map(({ certificatePem }) => ({ tenant, certificate: certificatePem })),
      crlFiles: [this.#crlFile],
    };
  }

  /** A list of today, of each of its CAs. */
  publish(): void {
    this.authority.publishCrl('service');
  }

  newSealing(): Sealing {
    const { tenant } = this;
    const pair = newKeyPair();
    const [issuer] = this.#issuers;
    const { services } = this.#atWork;
    const issued = services.issue({ profile: 'sealing', publicKey: pair.spki, name: {}, by: 'test' });
    const { root, issuing } = this.#options.office;
    const content = {
      tenant,
      sealing: issued.certificate,
      officeRoot: root.certificate.der,
      officeIssuers: [issuing.certificate.der],
      revokedPeople: [],
    };
    return {
      key: { kid: sealingKid(pair.spki), privateKey: createPrivateKey(pair.privateKeyPem) },
      certificate: issued.pem + issuer.certificatePem,
      notice: makeNotice(issuer, content, this.#options.clock.nowMs()),
    };
  }

  /** A second CA is trusted, and certifies nothing before everybody has read so. */
  bringNext(): void {
    this.#issuers = [this.#issuers[0], this.#newIssuer()];
    this.#atWork = this.#open();
  }

  /** It certifies from now on; what the old one certified goes on. */
  useNext(): void {
    const [old, next] = this.#issuers;
    this.#issuers = [next!, old];
    this.#atWork = this.#open();
  }

  retireOld(): void {
    const [present] = this.#issuers;
    this.#issuers = [present];
    this.#atWork = this.#open();
    keepInCrlFile(this.#crlFile, [this.authority.keyId]);
  }

  #newIssuer(): SigningAuthority {
    const { root, clock, tenant } = this.#options;
    const nowMs = clock.nowMs();
    return makeIssuing(root, tenant, {
      notBeforeMs: nowMs - DAY_MS,
      notAfterMs: nowMs + YEARS_OF_A_CA * DAY_MS,
    });
  }

  #open(): AtWork {
    const { clock } = this.#options;
    const { tenant, register } = this;
    const [issuer, ...others] = this.#issuers;
    const crl = { file: this.#crlFile, validityMs: LIST_DAYS * DAY_MS };
    const endMs = (): number => clock.nowMs() + LIFE_DAYS * DAY_MS;
    const authority = createAuthority({
      register,
      tenant,
      clock,
      others,
      crl,
      issuer: shortLived(issuer, endMs),
    });
    authority.publishCrl('test');
    return {
      authority,
      services: createAuthority({ register, tenant, clock, others, issuer }),
      enrolment: createEnrolment({ authority, manufacturers: [], clock }),
    };
  }
}

export interface YearCaOptions {
  readonly tenant: TenantId;
  readonly folder: string;
  readonly clock: { nowMs(): number };
  readonly root: SigningAuthority;
  readonly office: { readonly root: SigningAuthority; readonly issuing: SigningAuthority };
}

/** A CA whose certificates end long before it does: what it signs never outlives what it says of its own end. */
function shortLived(issuer: SigningAuthority, endMs: () => number): SigningAuthority {
  const certificate = Object.defineProperty({ ...issuer.certificate }, 'notAfterMs', {
    get: endMs,
    enumerable: true,
  });
  return { ...issuer, certificate };
}
