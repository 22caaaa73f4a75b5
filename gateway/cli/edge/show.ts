import type { SourceStatus } from '../../edge/service/edge-source.ts';
import {
  daysLeft,
  EXPIRY_ALARM_DAYS,
  EXPIRY_MENTION_DAYS,
  EXPIRY_WARN_DAYS,
  firstEndMs,
} from '../../edge/service/identity.ts';
import type { DeviceStatus, EdgeStatus } from '../../edge/service/status.ts';

/** `hes edge status` for a person: one paragraph a device. */
export function statusText(status: EdgeStatus): string {
  const { running, pid, startedAtMs, nowMs, headEnd, development, devices } = status;
  const mode = development ? ', DEVELOPMENT' : '';
  const head = running
    ? `The edge runs (process ${pid}, for ${span(nowMs - (startedAtMs ?? nowMs))}${mode}); head-end ${headEnd.host}:${headEnd.port}.`
    : `The edge does NOT run${mode}; this is what its files say. Head-end ${headEnd.host}:${headEnd.port}.`;
  return [head, ...devices.map((device) => deviceText(device, status))].join('\n\n').concat('\n');
}

function deviceText(device: DeviceStatus, { running, nowMs }: EdgeStatus): string {
  const guests = device.guests.length === 0 ? '' : `, guests ${device.guests.join(', ')}`;
  const lines = [`Device ${device.device ?? '(unknown)'} of ${device.home ?? '(unknown)'}${guests}`];
  const row = (what: string, text: string): void => void lines.push(`  ${what.padEnd(14)}${text}`);
  if (device.trouble !== null) row('TROUBLE', `${device.trouble} (docs/errors.md says what to do)`);
  for (const source of device.sources)
    for (const [at, line] of sourceLines(source, nowMs).entries()) row(at === 0 ? 'source' : '', line);
  row('last receipt', receiptText(device, running, nowMs));
  row('outbox', outboxText(device));
  const closed = Object.entries(device.lastClosedDay).map(([owner, day]) => `${owner} ${day}`);
  for (const [at, text] of commandTexts(device, nowMs).entries()) row(at === 0 ? 'commands' : '', text);
  row('last closed', closed.length === 0 ? 'no day yet' : closed.join(', '));
  if (device.openDays > 0) row('open days', `${device.openDays} ended and not yet in the outbox`);
  if (running)
    row('next wake', device.nextWakeMs === null ? 'nothing waits' : ahead(device.nextWakeMs, nowMs));
  row('certificates', certificatesText(device, nowMs));
  for (const [at, text] of renewalTexts(device, nowMs).entries()) row(at === 0 ? 'renewal' : '', text);
  return lines.join('\n');
}

function sourceLines(source: SourceStatus, nowMs: number): string[] {
  if (source.kind === 'modbus')
    return source.meters.map(({ profile, unit, channel, lastReadMs, fault }) => {
      const read = lastReadMs === null ? 'never read' : `last read ${ago(lastReadMs, nowMs)}`;
      const state = fault === null ? (lastReadMs === null ? 'not heard from yet' : 'is read') : fault;
      return `${source.name} (Modbus ${profile}, unit ${unit}, channel ${channel}): ${state}; ${read}`;
    });
  const { name, mode, state, text, sinceMs, lastTelegramMs, telegrams, faults } = source;
  const last = lastTelegramMs === null ? 'no telegram yet' : `last telegram ${ago(lastTelegramMs, nowMs)}`;
  const faulty = Object.values(faults).reduce((sum, count) => sum + count, 0);
  const counts = `${telegrams} telegrams${faulty === 0 ? '' : `, ${faulty} faulty`}`;
  return [
    `${name} (P1${mode === null ? '' : ` ${mode}`}): ${state} since ${span(nowMs - sinceMs)}: ${text}`,
    `${last}; ${counts}`,
  ];
}

function receiptText({ lastReceipt, lastWake }: DeviceStatus, running: boolean, nowMs: number): string {
  if (lastReceipt === null && !running) return 'not known while it does not run';
  const receipt =
    lastReceipt === null
      ? 'none since the start'
      : `${lastReceipt.owner} ${lastReceipt.day}: ${lastReceipt.verdict}, ${ago(lastReceipt.atMs, nowMs)}`;
  if (lastWake?.failure == null) return receipt;
  return `${receipt}; the wake ${ago(lastWake.atMs, nowMs)} failed (${lastWake.failure})`;
}

function commandTexts({ commands }: DeviceStatus, nowMs: number): string[] {
  if (commands === null) return [];
  const { last, waiting, silentSinceMs, connected } = commands;
  return [
    ...(silentSinceMs === null
      ? []
      : [
          `SILENT, in airplane mode since ${new Date(silentSinceMs).toISOString()}: it ends at the meter only`,
        ]),
    last === null
      ? `none since the start${connected ? '; connected' : ''}`
      : `last one ${ago(last.atMs, nowMs)}: ${last.type ?? 'signed by nobody who may'}, ${last.state}${last.code === null ? '' : ` (${last.code})`}${connected ? '; connected' : ''}`,
    ...(waiting === 0 ? [] : [`${waiting} results wait for their receipt`]),
  ];
}

function outboxText({ outbox }: DeviceStatus): string {
  if (outbox === null) return 'none yet';
  const { pending, parked, bytes, bytesMax, thinned, dropped, failing } = outbox;
  return [
    `${pending} waiting, ${parked} refused, ${Math.round((100 * bytes) / bytesMax)} % full`,
    ...(thinned > 0 ? [`${thinned} LOST THEIR PROFILE for want of room`] : []),
    ...(dropped > 0 ? [`${dropped} INDEXES GIVEN UP for want of room`] : []),
    ...(failing ? ['THE DISK REFUSED THE LAST WRITE'] : []),
  ].join('; ');
}

function certificatesText({ certificates, renewal }: DeviceStatus, nowMs: number): string {
  if (certificates === null) return 'cannot be read';
  const days = daysLeft(certificates, nowMs);
  if (days < 0) return `EXPIRED ${-days} days ago: enrol again`;
  const end = new Date(firstEndMs(certificates)).toISOString().slice(0, 10);
  if (days < EXPIRY_ALARM_DAYS) return `END IN ${days} DAYS (${end}): SEE TO IT NOW, or enrol again`;
  if (days < EXPIRY_WARN_DAYS) return `END IN ${days} DAYS (${end}): ${remedy(renewal)}`;
  const text = `valid until ${end} (${days} days)`;
  return days < EXPIRY_MENTION_DAYS ? `${text}: ${remedy(renewal)} in time` : text;
}

/** An owner's sealing key comes by the owner's notice; what renews itself needs nobody. */
const remedy = (renewal: DeviceStatus['renewal']): string =>
  renewal === null ? 'enrol again' : 'renewal should have seen to it: see below';

function renewalTexts({ renewal }: DeviceStatus, nowMs: number): string[] {
  if (renewal === null) return [];
  const { nextMs, pending, lastMs, failure } = renewal;
  const last = lastMs === null ? '' : `; last one ${ago(lastMs, nowMs)}`;
  return [
    `${pending.length === 0 ? 'next key' : `${pending.join(', ')} asked for, next attempt`} ${ahead(nextMs, nowMs)}${last}`,
    ...(failure === null
      ? []
      : [`FAILED ${ago(failure.atMs, nowMs)} for ${failure.key} (${failure.code}): it is tried again`]),
  ];
}

function ago(atMs: number, nowMs: number): string {
  return `${span(nowMs - atMs)} ago`;
}

function ahead(atMs: number, nowMs: number): string {
  return atMs <= nowMs ? 'now' : `in ${span(atMs - nowMs)}`;
}

const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
] as const;

/** The two largest units: `3 h 20 min`. */
function span(ms: number): string {
  if (ms < 1_000) return '0 s';
  const parts: string[] = [];
  let rest = ms;
  for (const [unitMs, unit] of UNITS) {
    const count = Math.floor(rest / unitMs);
    rest -= count * unitMs;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(' ');
}
