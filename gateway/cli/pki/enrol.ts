import { basename, join } from 'node:path';
import type { OpenedPki } from '../../../pki/ca/open.ts';
import type { EnrolmentAnswer } from '../../../pki/enrolment/answer.ts';
import { fingerprintText, rootFingerprint } from '../../../pki/enrolment/answer-accept.ts';
import { answerEnrolment } from '../../../pki/enrolment/answer-issue.ts';
import {
  CREDENTIAL_NAMES,
  documentText,
  parseEnrolmentRequest,
  REQUEST_BYTES_MAX,
} from '../../../pki/enrolment/request.ts';
import { checkEnrolmentRequest } from '../../../pki/enrolment/request-check.ts';
import { makeFolder } from '../../../pki/files/files.ts';
import { derOf } from '../../../pki/x509/pem.ts';
import { isHesError } from '../../../protocol/errors.ts';
import { type DeviceId, isDeviceId } from '../../../protocol/identity.ts';
import { parseCsv } from '../campaign/csv.ts';
import { usage } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { readDocument, writeDocument } from './document.ts';
import type { PkiFlags } from './flags.ts';
import { openedPki, withTenant } from './opened.ts';
import { print, printJson } from './print.ts';
import { progress, readFileOf } from './register.ts';
import { asker } from './secrets.ts';

export interface PkiEnrolFlags extends PkiFlags {
  readonly device?: string;
  readonly out?: string;
  readonly csv?: string;
}

/**
 * `hes pki enrol`: what the home tenant's issuing CA answers to a device's request, or to a list of them.
 * @throws ERR_USAGE, ERR_ENROL_REQUEST, ERR_ENROL_KEY, ERR_PKI_*, ERR_CA_*
 */
export async function pkiEnrol(file: string | undefined, flags: PkiEnrolFlags): Promise<void> {
  if ((file === undefined) === (flags.csv === undefined)) throw usage('say REQUEST, or --csv FILE');
  if (flags.csv !== undefined) return enrolList(flags.csv, flags);
  const device = deviceOf(flags.device);
  const checked = await readRequest(file ?? '-');
  const { home: asked, guests: askedGuests } = checked.request;
  if (flags.dryRun === true) {
    print(`The request ${checked.request.request} of ${[asked, ...askedGuests].join(', ')} is whole.`);
    return;
  }
  const pki = await openedPki(flags);
  const { answer, again } = answered(pki, checked, device);
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

type Checked = ReturnType<typeof checkEnrolmentRequest>;

const readRequest = async (file: string): Promise<Checked> =>
  checkEnrolmentRequest(parseEnrolmentRequest(await readDocument(file, REQUEST_BYTES_MAX)));

function deviceOf(device: string | undefined): DeviceId | undefined {
  if (device !== undefined && !isDeviceId(device)) throw usage('--device takes 16 lower-case hex digits');
  return device;
}

/** The answer, and its device and certificates in the register of its home. */
function answered(pki: OpenedPki, checked: Checked, device: DeviceId | undefined) {
  const nowMs = Date.now();
  const done = answerEnrolment(pki, checked, { nowMs, ...(device === undefined ? {} : { device }) });
  enter(pki, done.answer);
  return done;
}

function enter(pki: OpenedPki, answer: EnrolmentAnswer): void {
  const { device, home, guests } = answer;
  withTenant(pki, home, ({ register, field }) => {
    register.transaction(() => {
      // Asked for by hand, it is expected: somebody stood before it. One that was registered otherwise stays so.
      if (register.devices.find(device) === undefined)
        register.devices.add({ device, home, guests }, asker());
      for (const name of CREDENTIAL_NAMES) field.adopt(derOf('CERTIFICATE', answer[name]), asker());
    });
  });
}

interface Line {
  readonly line: number;
  readonly request: string;
  readonly device: string | null;
  readonly out: string | null;
  readonly error: string | null;
}

/**
 * A list with the columns `request` (a file) and, where keys were lost, `device`. Each is answered on its own: what is
 * refused is told, and the same list again goes on where it ended.
 */
async function enrolList(file: string, flags: PkiEnrolFlags): Promise<void> {
  const { out } = flags;
  if (out === undefined) throw usage('--out FOLDER says where the answers go');
  const { header, records, faults } = parseCsv(readFileOf(file));
  const at = { request: header.indexOf('request'), device: header.indexOf('device') };
  if (at.request < 0) throw usage(`${file} has no column "request"`);
  if (faults[0] !== undefined) throw usage(`${file}, line ${faults[0].line}: ${faults[0].why}`);
  const pki = flags.dryRun === true ? undefined : await openedPki(flags);
  if (pki !== undefined) makeFolder(out);
  const lines: Line[] = [];
  for (const { line, fields } of records) {
    const request = fields[at.request]?.trim() ?? '';
    const wanted = fields[at.device]?.trim() || undefined;
    const told = { line, request };
    try {
      const checked = await readRequest(request);
      const device = deviceOf(wanted);
      if (pki === undefined) lines.push({ ...told, device: wanted ?? null, out: null, error: null });
      else {
        const { answer } = answered(pki, checked, device);
        const place = join(out, `${basename(request, '.json')}.answer.json`);
        writeDocument(place, documentText(answer));
        lines.push({ ...told, device: answer.device, out: place, error: null });
      }
    } catch (error) {
      if (!isHesError(error)) throw error;
      lines.push({ ...told, device: null, out: null, error: `${error.message} (${error.code})` });
    }
    progress(lines.length, records.length);
  }
  const failed = lines.filter(({ error }) => error !== null);
  if (flags.json === true)
    printJson({ answered: lines.length - failed.length, failed: failed.length, lines });
  else {
    for (const { line, request, error } of failed) print(`line ${line}, ${request}: ${error}`);
    const verb = pki === undefined ? 'could be answered' : `are answered in ${out}`;
    print(`${lines.length - failed.length} requests ${verb}, ${failed.length} were refused.`);
  }
  if (failed.length > 0) process.exitCode = EXIT.incomplete;
}
