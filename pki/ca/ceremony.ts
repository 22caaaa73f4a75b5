import { rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { TenantId } from '../../protocol/identity.ts';
import { generatePki } from '../development/generate.ts';
import { moveIntoPlace, sweepLeftovers, writeFiles } from '../files/atomic.ts';
import { beside, makeFolder, readText } from '../files/files.ts';
import { type PkiLayout, pkiLayout } from '../files/layout.ts';
import { isTokenReference } from '../hsm/reference.ts';
import type { TokenPlace } from '../hsm/session.ts';
import { encryptKey } from '../keys/encrypted-key.ts';
import { destroyInToken, type KeyMaker, makeKeyHere, makeKeyIn } from '../keys/key-maker.ts';
import { PRODUCTION_ORGANIZATION } from '../x509/names.ts';
import { readPem } from '../x509/pem.ts';
import { CRL_VALIDITY_MS, headEndAuthority, type OpenedPki, openPki, tenantAuthorities } from './open.ts';

/** Who opens what afterwards. */
export interface CeremonyPassphrases {
  /** The two roots, which are needed again for a new issuing CA only. */
  readonly root: string;
  /** The issuing CAs. */
  readonly ca: string;
  /** The keys of servers and the sealing keys. */
  readonly service: string;
}

export interface CeremonyOptions {
  readonly directory: string;
  readonly tenants: readonly TenantId[];
  readonly nowMs: number;
  readonly passphrases: CeremonyPassphrases;
  /** Whose token the keys of issuing CAs and the sealing keys are made in; otherwise they lie in encrypted files. */
  readonly token?: ((owner: TenantId | 'head-end') => TokenPlace) | undefined;
  readonly frontHosts: readonly string[];
  readonly deskHosts: (tenant: TenantId) => readonly string[];
}

/** Where each key goes, for whoever carries it there. */
export interface CeremonyKey {
  readonly file: string;
  readonly kind: keyof CeremonyPassphrases;
  readonly what: string;
  /** Of those that may be made in a token: whose. */
  readonly owner?: TenantId | 'head-end' | undefined;
}

/** Every key that a ceremony makes, in the order of their weight. The sealing keys are named after themselves. */
export function ceremonyKeys(
  layout: PkiLayout,
  tenants: readonly { readonly tenant: TenantId; readonly kid: string }[],
): readonly CeremonyKey[] {
  const row = (
    file: string,
    kind: CeremonyKey['kind'],
    what: string,
    owner?: CeremonyKey['owner'],
  ): CeremonyKey => ({ file, kind, what, ...(owner === undefined ? {} : { owner }) });
  return [
    row(layout.root.key, 'root', 'field root'),
    row(layout.office.root.key, 'root', 'office root'),
    row(layout.headEnd.key, 'ca', 'head-end CA', 'head-end'),
    ...tenants.flatMap(({ tenant }) => [
      row(layout.issuing(tenant).key, 'ca', `issuing CA of ${tenant}, field`, tenant),
      row(layout.office.issuing(tenant).key, 'ca', `issuing CA of ${tenant}, office`, tenant),
    ]),
    row(layout.front.key, 'service', 'front'),
    ...tenants.flatMap(({ tenant, kid }) => [
      row(layout.sealing(tenant, kid).key, 'service', `sealing key of ${tenant}, for its router`, tenant),
      row(layout.office.desk(tenant).key, 'service', `desk of ${tenant}`),
    ]),
  ];
}

/**
 * Make both worlds for production: every private key leaves this process encrypted, and nothing says development. As
 * for development, the folder is there whole or not at all.
 * @throws ERR_PKI_EXISTS, ERR_PKI_RIGHTS, ERR_PKI_DAMAGED
 */
export function createProductionPki(options: CeremonyOptions): OpenedPki {
  const { passphrases, tenants, nowMs, frontHosts, deskHosts, token } = options;
  const directory = resolve(options.directory);
  makeFolder(dirname(directory));
  sweepLeftovers(directory);
  const fresh = beside(directory);
  const inTokens: string[] = [];
  const keyMaker = (owner: TenantId | 'head-end'): KeyMaker =>
    token === undefined
      ? makeKeyHere
      : (use, label) => {
          const key = makeKeyIn(token(owner))(use, label);
          inTokens.push(key.keyPem);
          return key;
        };
  try {
    const files = generatePki(pkiLayout(fresh), tenants, nowMs, {
      development: false,
      organization: PRODUCTION_ORGANIZATION,
      keyMaker,
      keep: (key, kind) => (isTokenReference(key) ? key : encryptKey(key, passphrases[kind])),
      frontHosts,
      deskHosts,
      loopback: false,
      people: false,
      crlValidityMs: CRL_VALIDITY_MS,
    });
    writeFiles(files);
    moveIntoPlace(fresh, directory);
  } catch (error) {
    // What no file refers to would stay in the token for good.
    for (const key of inTokens) destroyInToken(key, directory);
    throw error;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  const pki = openPki({ directory, nowMs, passphrase: passphrases.ca });
  enterAll(pki, directory, passphrases.ca, nowMs);
  return pki;
}

/** The register begins with what the ceremony itself issued. */
function enterAll(pki: OpenedPki, directory: string, passphrase: string, nowMs: number): void {
  const clock = { nowMs: () => nowMs };
  const leaf = (file: string) => readPem('CERTIFICATE', readText(file))[0]!;
  for (const tenant of pki.tenants) {
    const { register, field, office } = tenantAuthorities(pki, tenant, clock);
    field.adopt(leaf(pki.layout.sealing(tenant, pki.owners.get(tenant)!.kid).certificate), 'ceremony');
    office.adopt(leaf(pki.layout.office.desk(tenant).certificate), 'ceremony');
    register.close();
  }
  const headEnd = headEndAuthority({ directory, passphrase }, clock);
  headEnd.adopt(leaf(pki.layout.front.certificate), 'ceremony');
  headEnd.register.close();
}
