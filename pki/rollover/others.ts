import { existsSync } from 'node:fs';
import { parseCertificate } from '../certificate.ts';
import { readText, withFile } from '../files.ts';
import type { KeyFiles } from '../keys.ts';
import { derOf } from '../pem.ts';

/** Those of these CAs that are there and not past their end: one that is has nothing left to renew or take back. */
export const thereOf = (places: readonly KeyFiles[], nowMs: number): readonly KeyFiles[] =>
  places.filter(
    ({ certificate, key }) =>
      existsSync(certificate) &&
      existsSync(key) &&
      withFile(certificate, () => parseCertificate(derOf('CERTIFICATE', readText(certificate)))).notAfterMs >=
        nowMs,
  );
