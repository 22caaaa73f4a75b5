import { join } from 'node:path';
import { fingerprintText, rootFingerprint } from '../../../pki/answer-accept.ts';
import { createDevelopmentPki } from '../../../pki/development.ts';
import { parseTenantId, type TenantId } from '../../../protocol/identity.ts';
import { CONSORTIUM } from '../../../protocol/tenants.ts';

/** `hes pki init`: the development PKI that `hes up` would make at its first start. */
export async function pkiInit(flags: {
  readonly data?: string;
  readonly tenants?: string;
  readonly json?: boolean;
}): Promise<void> {
  const tenants: readonly TenantId[] =
    flags.tenants === undefined
      ? CONSORTIUM.map(({ id }) => id)
      : flags.tenants.split(',').map((name) => parseTenantId(name.trim()));
  const directory = join(flags.data ?? '.hes', 'pki');
  const pki = createDevelopmentPki({ directory, tenants, nowMs: Date.now() });
  const fingerprint = rootFingerprint(pki.root.pem);
  const made = {
    directory: pki.layout.directory,
    development: true,
    tenants: pki.tenants,
    rootFingerprint: fingerprint,
  };
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify(made)}\n`
      : `A development PKI for ${pki.tenants.join(', ')} is in ${made.directory}. It is for this machine only.
Its field root is ${pki.layout.root.certificate}, SHA-256 ${fingerprintText(fingerprint)}.
`,
  );
}
