import { join } from 'node:path';
import { fingerprintText, rootFingerprint } from '../../../pki/answer-accept.ts';
import { answerEnrolment } from '../../../pki/answer-issue.ts';
import { addOffice, loadDevelopmentPki } from '../../../pki/development.ts';
import { documentText, parseEnrolmentRequest, REQUEST_BYTES_MAX } from '../../../pki/request.ts';
import { checkEnrolmentRequest } from '../../../pki/request-check.ts';
import { isDeviceId } from '../../../protocol/identity.ts';
import { usage } from '../errors.ts';
import { readDocument, writeDocument } from './document.ts';

export interface PkiEnrolFlags {
  readonly data?: string;
  readonly device?: string;
  readonly out?: string;
  readonly json?: boolean;
}

/**
 * `hes pki enrol`: what the home tenant's issuing CA answers to a device's request.
 * @throws ERR_USAGE, ERR_ENROL_REQUEST, ERR_ENROL_KEY, ERR_PKI_*
 */
export async function pkiEnrol(file: string, flags: PkiEnrolFlags): Promise<void> {
  const { device } = flags;
  if (device !== undefined && !isDeviceId(device)) throw usage('--device takes 16 lower-case hex digits');
  const checked = checkEnrolmentRequest(parseEnrolmentRequest(await readDocument(file, REQUEST_BYTES_MAX)));
  const nowMs = Date.now();
  const pki = addOffice(
    loadDevelopmentPki({ directory: join(flags.data ?? '.hes', 'pki'), nowMs, development: true }),
    nowMs,
  );
  const { answer, again } = answerEnrolment(pki, checked, {
    nowMs,
    ...(device === undefined ? {} : { device }),
  });
  writeDocument(flags.out, documentText(answer));
  const { home, guests, request } = answer;
  const root = rootFingerprint(answer.root);
  if (flags.json === true && flags.out !== undefined) {
    const done = {
      device: answer.device,
      home,
      guests,
      request,
      again,
      rootFingerprint: root,
      out: flags.out,
    };
    process.stdout.write(`${JSON.stringify(done)}\n`);
    return;
  }
  const words = `Device ${answer.device} of ${[home, ...guests].join(', ')} ${again ? 'was enrolled before: this is the same answer again' : 'is enrolled'}.
The request is called ${request}: it should be so on the installer's screen, too.
Next: take ${flags.out ?? 'the answer'} to the device and run \`hes edge enrol … --answer ${flags.out ?? 'FILE'}\` there.
The device takes the field root with this fingerprint (tell it to the installer by another way than the answer):
  ${fingerprintText(root)}
`;
  (flags.out === undefined ? process.stderr : process.stdout).write(words);
}
