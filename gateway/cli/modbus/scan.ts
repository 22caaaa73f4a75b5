import { type Endpoint, endpointText, PARITIES } from '../../edge/modbus/endpoint.ts';
import { loadProfile } from '../../edge/modbus/profile.ts';
import { builtInProfiles } from '../../edge/modbus/profiles.ts';
import { type Found, SCAN_QUESTIONS_MAX, scan } from '../../edge/modbus/scan.ts';
import { EXIT } from '../exit.ts';
import { endpointOf, type LineFlags, numberList, usageError } from './flags.ts';

export interface ScanFlags extends LineFlags {
  readonly ids?: string;
  readonly bauds?: string;
  readonly parities?: string;
  readonly profileFile?: string;
  readonly json?: boolean;
}

/** Meters answer within 200 ms; a scan that waits longer for each absent one takes minutes. */
const SCAN_ANSWER_MS = 300;
const DEFAULT_BAUDS = '9600,19200,2400';
const DEFAULT_PARITIES = 'none,even';
const UNITS_MAX = 10;

/** `hes modbus scan`. Its exit code is 1 where nobody answers. @throws ERR_USAGE, ERR_MODBUS_CONNECT, ERR_MODBUS_PORT */
export async function scanOnce(flags: ScanFlags): Promise<number> {
  const own = flags.profileFile === undefined ? [] : [await loadProfile(flags.profileFile)];
  const profiles = [...own, ...builtInProfiles()];
  const units =
    flags.ids === undefined
      ? [...new Set([...range(UNITS_MAX), ...profiles.map(({ line }) => line.unit)])]
      : numberList('--ids', flags.ids, 0, 255);
  const endpoints = endpointsOf(flags);
  if (units.length * endpoints.length > SCAN_QUESTIONS_MAX)
    throw usageError(
      `that is ${units.length * endpoints.length} questions; ask for ${SCAN_QUESTIONS_MAX} at most`,
    );
  const answerWithinMs = flags.timeout ?? SCAN_ANSWER_MS;
  const seconds = Math.ceil((units.length * endpoints.length * answerWithinMs) / 1_000);
  process.stderr.write(
    `asking ${units.length} units at ${endpoints.length} settings, ${seconds} s at most\n`,
  );
  let found = 0;
  for await (const one of scan({ endpoints, units, profiles, answerWithinMs })) {
    found++;
    process.stdout.write(flags.json === true ? `${JSON.stringify(one)}\n` : `${text(one)}\n`);
  }
  if (found === 0)
    process.stderr.write('nobody answered: check wiring (A/B), power, termination and unit ids\n');
  return found === 0 ? EXIT.incomplete : EXIT.ok;
}

function endpointsOf(flags: ScanFlags): Endpoint[] {
  if (flags.serial === undefined) return [endpointOf(flags)];
  const bauds = numberList('--bauds', flags.bauds ?? String(flags.baud ?? DEFAULT_BAUDS), 300, 921_600);
  const parities = (flags.parities ?? flags.parity ?? DEFAULT_PARITIES).split(',').map((name) => {
    const parity = PARITIES.find((one) => one === name.trim());
    if (parity === undefined) throw usageError(`--parities is a list of ${PARITIES.join(', ')}`);
    return parity;
  });
  return bauds.flatMap((baud) => parities.map((parity) => endpointOf({ ...flags, baud, parity })));
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function text({ endpoint, unit, matches }: Found): string {
  const names = matches.map(({ profile, identified }) =>
    identified ? `${profile} (says so itself)` : profile,
  );
  const what = names.length === 0 ? 'answers, and is no meter that is known here' : names.join(' or ');
  return `unit ${unit} at ${endpointText(endpoint)}: ${what}`;
}
