import { pkiError } from '../errors.ts';
import { encryptKey } from '../keys/encrypted-key.ts';
import type { OfficeIdentity } from '../office/identity.ts';
import { newKeyPair } from '../x509/certify.ts';
import type { OfficeName } from '../x509/names.ts';
import type { Authority, Issued } from './authority.ts';

/**
 * Keys and certificates of a person or system, as one identity file: fresh keys, which leave this function encrypted.
 * With `replaces`, in place of those two certificates, which go on until their end.
 * @throws ERR_CA_*
 */
export function issueIdentity(
  authority: Authority,
  about: {
    readonly name: Omit<OfficeName, 'tenant'>;
    /** PEM of the office root. */
    readonly root: string;
    readonly passphrase: string;
    readonly by: string;
    readonly development: boolean;
    readonly desk?: string | undefined;
    readonly replaces?: { readonly sign: Uint8Array; readonly tls: Uint8Array } | undefined;
  },
): OfficeIdentity {
  const { name, root, passphrase, by, development, desk, replaces } = about;
  const { tenant, register, issuer } = authority;
  if (tenant === undefined) throw pkiError('ERR_CA_PROFILE', 'the head-end has no people');
  const keys = { sign: newKeyPair(), tls: newKeyPair() };
  const issued = register.transaction(() => {
    const one = (which: 'sign' | 'tls', profile: 'personSign' | 'personTls'): Issued => {
      const request = { publicKey: keys[which].spki, by };
      return replaces === undefined
        ? authority.issue({ ...request, profile, name })
        : authority.renew({ ...request, certificate: replaces[which] });
    };
    return { sign: one('sign', 'personSign'), tls: one('tls', 'personTls') };
  });
  return {
    version: 1,
    tenant,
    ...name,
    ...(development ? { development } : {}),
    root,
    sign: { key: encryptKey(keys.sign.privateKeyPem, passphrase), certificate: issued.sign.pem },
    tls: {
      key: encryptKey(keys.tls.privateKeyPem, passphrase),
      certificate: issued.tls.pem + issuer.certificatePem,
    },
    ...(desk === undefined ? {} : { desk }),
  };
}
