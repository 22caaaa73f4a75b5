import { publishNotice } from '../../../pki/notice/file.ts';
import type { PkiFlags } from './flags.ts';
import { CLOCK, openedPki, tenantsOf, withTenant } from './opened.ts';
import { columns, print, printJson } from './print.ts';
import { asker } from './secrets.ts';

/** `hes pki notice`: what devices are told about keys, CAs and people, where something of it changed. */
export async function pkiNotice(flags: PkiFlags): Promise<void> {
  const pki = await openedPki(flags);
  const dryRun = flags.dryRun === true;
  const published = tenantsOf(flags).map((tenant) =>
    withTenant(pki, tenant, (opened) => ({
      tenant,
      ...publishNotice(pki, tenant, opened, { nowMs: CLOCK.nowMs(), by: asker(), dryRun }),
    })),
  );
  if (flags.json === true) printJson({ dryRun, published });
  else
    print(
      columns(
        published.map(({ tenant, file, changed, revokedPeople }) => [
          tenant,
          file,
          changed ? (dryRun ? 'would be new' : 'new') : 'as it was',
          `${revokedPeople} revoked people`,
        ]),
      ),
    );
}
