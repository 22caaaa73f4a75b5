import { existsSync } from 'node:fs';
import { readText, withFile } from '../files/files.ts';
import type { KeyFiles } from '../keys/keys.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { derOf } from '../x509/pem.ts';

/** Those of these CAs that are there and not past their end: one that is has nothing left to renew or take back. */
export const thereOf = (places: readonly KeyFiles[], nowMs: number): readonly KeyFiles[] =>
  places.filter(
    ({ certificate, key }) =>
      existsSync(certificate) &&
      existsSync(key) &&
      withFile(certificate, () => parseCertificate(derOf('CERTIFICATE', readText(certificate)))).notAfterMs >=
        nowMs,
  );
