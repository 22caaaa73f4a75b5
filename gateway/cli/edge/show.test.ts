import { describe, expect, it } from 'vitest';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import type { DeviceStatus, EdgeStatus } from '../../edge/service/status.ts';
import { statusText } from './show.ts';

const NOW = Date.parse('2026-06-01T12:00:00Z');
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const ORES = 'ores' as TenantId;

const device: DeviceStatus = {
  device: '0123456789abcdef' as DeviceId,
  home: ORES,
  guests: ['farys' as TenantId],
  trouble: null,
  sources: [
    {
      name: 'cupboard',
      kind: 'p1',
      text: 'telegrams arrive',
      state: 'receiving',
      sinceMs: NOW - 26 * HOUR,
      mode: '115200 8N1',
      lastTelegramMs: NOW - SECOND,
      telegrams: 93_600,
      bytes: 1,
      noiseBytes: 0,
      faults: { 'crc-invalid': 3 },
      openings: 1,
    },
    {
      name: 'pump',
      kind: 'modbus',
      meters: [{ profile: 'sdm630', unit: 1, channel: 4, lastReadMs: null, fault: 'ERR_MODBUS_TIMEOUT' }],
    },
  ],
  lastReceipt: { owner: ORES, day: '2026-05-31', verdict: 'delivered', atMs: NOW - 10 * HOUR },
  lastWake: { atMs: NOW - 10 * HOUR, failure: null },
  outbox: { pending: 0, parked: 0, bytes: 10, bytesMax: 1_000, thinned: 0, dropped: 0, failing: false },
  lastClosedDay: { ores: '2026-05-31' },
  openDays: 0,
  nextWakeMs: null,
  certificates: {
    tls: '2027-06-01T12:00:00Z',
    sign: '2027-06-01T12:00:00Z',
    agree: '2027-06-01T12:00:00Z',
    owners: { ores: '2027-01-01T00:00:00Z' },
  },
  commands: null,
  renewal: null,
};

const text = (changes: Partial<DeviceStatus> = {}, running = true): string => {
  const status: EdgeStatus = {
    version: 1,
    running,
    pid: running ? 7 : null,
    startedAtMs: running ? NOW - 30 * HOUR : null,
    nowMs: NOW,
    development: false,
    headEnd: { host: 'hes.example', port: 8_883 },
    devices: [{ ...device, ...changes }],
  };
  return statusText(status);
};

describe('hes edge status', () => {
  it.each<[string, Partial<DeviceStatus>, string]>([
    ['a trouble', { trouble: 'ERR_OUTBOX_WRITE' }, 'ERR_OUTBOX_WRITE'],
    [
      'what was given up',
      { outbox: { ...device.outbox!, thinned: 4, dropped: 2, failing: true } },
      '4 LOST THEIR PROFILE for want of room; 2 INDEXES GIVEN UP for want of room; THE DISK REFUSED',
    ],
    [
      'a certificate that ends soon, be it an owner’s',
      { certificates: { ...device.certificates!, owners: { ores: '2026-06-20T12:00:00Z' } } },
      'END IN 19 DAYS (2026-06-20)',
    ],
    [
      'one that has ended',
      { certificates: { ...device.certificates!, tls: '2026-05-30T12:00:00Z' } },
      'EXPIRED 2 days ago',
    ],
    [
      'a wake that failed, and the next',
      { lastWake: { atMs: NOW - 90 * SECOND, failure: 'ERR_UPLINK_CONNECT' }, nextWakeMs: NOW + HOUR },
      'the wake 1 min 30 s ago failed (ERR_UPLINK_CONNECT)',
    ],
    [
      'the last command, and what came of it',
      {
        commands: {
          last: { atMs: NOW - 90 * SECOND, id: null, type: 'p1.set', state: 'refused', code: 'unsupported' },
          waiting: 1,
          silentSinceMs: null,
          connected: true,
        },
      },
      'last one 1 min 30 s ago: p1.set, refused (unsupported); connected\n                1 results wait',
    ],
    [
      'since when nothing is sent, and how that ends',
      { commands: { last: null, waiting: 0, silentSinceMs: NOW - HOUR, connected: false } },
      'commands      SILENT, in airplane mode since 2026-06-01T11:00:00.000Z: it ends at the meter only',
    ],
    ['days that wait for room', { openDays: 3 }, '3 ended and not yet in the outbox'],
    [
      'a certificate that ends in a week, louder',
      { certificates: { ...device.certificates!, sign: '2026-06-04T12:00:00Z' } },
      'END IN 3 DAYS (2026-06-04): SEE TO IT NOW',
    ],
    [
      'in passing, one that ends in three months',
      { certificates: { ...device.certificates!, sign: '2026-08-20T12:00:00Z' } },
      'valid until 2026-08-20 (80 days): enrol again in time',
    ],
    [
      'when the next key is renewed',
      { renewal: { nextMs: NOW + 30 * 24 * HOUR, pending: [], lastMs: NOW - HOUR, failure: null } },
      'renewal       next key in 30 d; last one 1 h ago',
    ],
    [
      'what keeps a key from being renewed',
      {
        renewal: {
          nextMs: NOW + 60 * SECOND,
          pending: ['tls'],
          lastMs: null,
          failure: { key: 'tls', code: 'ERR_EST_UNREACHABLE', atMs: NOW - HOUR },
        },
      },
      'tls asked for, next attempt in 1 min\n                FAILED 1 h ago for tls (ERR_EST_UNREACHABLE): it is tried again',
    ],
  ])('says %s', (_, changes, words) => expect(text(changes)).toContain(words));

  it('tells in a glance that all is well', () => {
    expect(text()).toBe(`The edge runs (process 7, for 1 d 6 h); head-end hes.example:8883.

Device 0123456789abcdef of ores, guests farys
  source        cupboard (P1 115200 8N1): receiving since 1 d 2 h: telegrams arrive
                last telegram 1 s ago; 93600 telegrams, 3 faulty
  source        pump (Modbus sdm630, unit 1, channel 4): ERR_MODBUS_TIMEOUT; never read
  last receipt  ores 2026-05-31: delivered, 10 h ago
  outbox        0 waiting, 0 refused, 1 % full
  last closed   ores 2026-05-31
  next wake     nothing waits
  certificates  valid until 2027-01-01 (213 days)
`);
  });

  it('says that nothing runs, and shows what files say', () => {
    const stopped = text({ sources: [], lastReceipt: null, lastWake: null, outbox: null }, false);
    expect(stopped).toContain('does NOT run');
    expect(stopped).not.toContain('next wake');
  });
});
