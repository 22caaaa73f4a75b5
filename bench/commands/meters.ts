/** The awake meters of bench/commands.ts, in a process of their own. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { issueDevice, loadDevelopmentPki } from '../../pki/development/development.ts';
import { recipientOf, sealingKid } from '../../pki/trust.ts';
import { derOf } from '../../pki/x509/pem.ts';
import { signerOf } from '../../test/support/sealing.ts';
import { type LeanIdentity, wake } from './meter.ts';
import type { AwakeSetup, EnrolledMeter, FromMeters, ToMeters } from './protocol.ts';

const SAY_EVERY_MS = 250;

const { pki: folder, tenant, meters, atOnce } = JSON.parse(await text(process.stdin)) as AwakeSetup;
const tell = (message: FromMeters): void => void process.send!(message);
process.on('disconnect', () => process.exit(0));

const nowMs = Date.now();
const pki = loadDevelopmentPki({ directory: folder, nowMs, development: true });
const recipient = recipientOf(pki.owners.get(tenant)!.certificate, {
  tenant,
  root: pki.root.pem,
  atMs: nowMs,
  development: true,
});

function enrol(): LeanIdentity & { readonly enrolled: EnrolledMeter } {
  const { device, tls, root, sign, agree } = issueDevice(pki, { home: tenant, guests: [], nowMs });
  const certificate = derOf('CERTIFICATE', agree.certificate);
  const privateKey = createPrivateKey(agree.key);
  return {
    device,
    tenant,
    tls,
    root,
    signer: signerOf(sign),
    keys: [{ kid: kidOf(certificate), privateKey }],
    recipient,
    enrolled: { device, certificate: agree.certificate },
  };
}

function kidOf(certificate: Uint8Array): Uint8Array {
  const { publicKey } = new X509Certificate(certificate);
  return sealingKid(publicKey.export({ type: 'spki', format: 'der' }));
}

let executed = 0;
let receipted = 0;
let retried = 0;
const sockets: TLSSocket[] = [];

async function wakeAll(identities: readonly LeanIdentity[], port: number): Promise<void> {
  const events = {
    executed: () => void executed++,
    receipted: () => void receipted++,
    retried: () => void retried++,
    failed: (why: string) => tell({ failed: why }),
  };
  let next = 0;
  const lane = async (): Promise<void> => {
    for (;;) {
      const identity = identities[next++];
      if (identity === undefined) return;
      sockets.push(await wake(identity, port, events));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  tell({ awake: sockets.length });
  setInterval(() => tell({ executed, receipted, retried }), SAY_EVERY_MS);
}

const identities = Array.from({ length: meters }, enrol);
tell({ enrolled: identities.map(({ enrolled }) => enrolled) });
process.on('message', ({ connect }: ToMeters) => {
  wakeAll(identities, connect.port).catch((error: unknown) =>
    tell({ failed: error instanceof Error ? error.message : String(error) }),
  );
});
