import { parseDeviceUri } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { readText } from '../files/files.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { parseCrl } from '../x509/crl.ts';
import { readPem } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';
import type { Authority } from './authority.ts';

/**
 * Enter a device that was issued before there was a register, by its TLS certificate: an emulated fleet of ten thousand
 * is certified without 30,000 rows, and the few that renew are entered when they do (docs/adr/0190). For a development
 * PKI alone: in production whoever is not in the register is nobody.
 *
 * @param crlFile revocations from before there was a register stand there alone
 * @throws ERR_EST_CLIENT, ERR_CA_CERTIFICATE, ERR_CA_KEY, ERR_TRUST_MALFORMED
 */
export function adoptDevice(
  authority: Authority,
  der: Uint8Array,
  { crlFile, nowMs, by }: { readonly crlFile: string; readonly nowMs: number; readonly by: string },
): void {
  const { register, tenant } = authority;
  const { alternativeNames, serial, notAfterMs } = parseCertificate(der);
  const names = alternativeNames.uris.map((uri) => parseDeviceUri(uri));
  const [home] = names;
  if (home === undefined || tenant === undefined || home.tenant !== tenant || nowMs > notAfterMs)
    throw nobody();
  const guests = names.slice(1).flatMap((name) => (name === undefined ? [] : [name.tenant]));
  register.transaction(() => {
    const { profile } = authority.adopt(der, by);
    if (profile !== PROFILES.deviceTls.name || isRevoked(crlFile, serial)) throw nobody();
    if (register.devices.find(home.device) === undefined)
      register.devices.add({ device: home.device, home: tenant, guests }, by);
  });
}

const isRevoked = (file: string, serial: string): boolean =>
  readPem('X509 CRL', readText(file)).some((list) =>
    parseCrl(list).entries.some((entry) => entry.serial === serial),
  );

const nobody = () =>
  pkiError('ERR_EST_CLIENT', 'the client certificate is not one in use of a device of this CA');
