import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { dayAfter, dayNamed } from '../../gateway/edge/days/calendar.ts';
import { EdgeDevice } from '../../gateway/edge/device.ts';
import { live } from '../../gateway/edge/testing/device.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { planFleet } from '../../meter-emulator/fleet.ts';
import { openPki } from '../../pki/ca/open.ts';
import { createDevelopmentPki, issueDevice, saveDeviceIdentity } from '../../pki/development/development.ts';
import { deviceIdentityFile, pkiLayout } from '../../pki/files/layout.ts';
import { type DeviceIdentity, readDeviceIdentity, replaceDeviceIdentity } from '../../pki/identity.ts';
import {
  finishRollover,
  type RolloverContext,
  startRollover,
  switchRollover,
} from '../../pki/rollover/rollover.ts';
import { parseCertificate } from '../../pki/x509/certificate.ts';
import { derOf } from '../../pki/x509/pem.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { CONSORTIUM } from '../../protocol/tenants.ts';
import { TestFolder } from '../support/chaos-folder.ts';
import { Hes, runHes } from '../support/chaos-hes.ts';
import { contentOf, daysFrom, emulatedIndexes, INNOCENT, judge, streamsOf } from '../support/chaos-oracle.ts';
import { outboxesOf } from '../support/chaos-outboxes.ts';
import { Field } from '../support/field.ts';
import { startHeadEnd } from '../support/head-end.ts';
import { until } from '../support/processes.ts';
import { readRecords } from '../support/records.ts';

/**
 * A tenant's sealing key and then its issuing CA are replaced while devices send: nobody touches one, every reading is
 * at its MDM once, and what is old is destroyed.
 */
const [ORES, PIDPA] = ['ores' as TenantId, 'pidpa' as TenantId];
const WITHIN_MS = 120_000;
const DAY_MS = 86_400_000;
const folder = new TestFolder();
const running: Hes[] = [];
afterEach(() => {
  for (const hes of running.splice(0)) hes.kill('SIGKILL', 'group');
});
afterAll(() => folder.remove());

describe('a device that was away', () => {
  it(
    'gives what it sealed to the old key during the overlap, and seals to the new one from then on',
    async () => {
      const field = new Field([ORES], mkdtempSync(join(tmpdir(), 'hes-rollover-')));
      const headEnd = await startHeadEnd(field);
      const { layout } = field.pki;
      const counters = headEnd.routerCounters(ORES);
      const issued = field.device(ORES);
      const directory = field.save(issued);
      const file = join(directory, 'identity.json');
      const device = EdgeDevice.open({
        directory,
        identity: {
          device: issued.device,
          load: () => readDeviceIdentity(file),
          save: (identity) => replaceDeviceIdentity(file, identity),
        },
        owners: () => ORES,
        headEnd: { host: '127.0.0.1', port: headEnd.port, servername: 'localhost' },
        counters: new Counters(),
        limits: { schedule: { jitterMs: 0, backoffBaseMs: 20, backoffMaxMs: 200 } },
        development: true,
      });
      let day = dayNamed(new Date(Date.now() - 60 * DAY_MS).toISOString().slice(0, 10));
      const closeDay = async (): Promise<void> => {
        day = dayAfter(day);
        live(device, day, { guest: false });
        await device.closeDay();
      };
      const context: RolloverContext = {
        open: () => openPki({ directory: layout.directory, nowMs: Date.now() }),
        tenant: ORES,
        clock: { nowMs: Date.now },
        by: 'test',
      };
      try {
        await closeDay();
        const { kid } = startRollover(context, {
          kind: 'sealing',
          keep: (pem) => pem,
          leadMs: 0,
          overlapMs: 0,
        });
        await until('the router opens with both', () => counters.get('sealing.keys') === 2, WITHIN_MS);
        switchRollover(context);
        let delivered = 0;
        await until(
          'what was sealed to the old key is delivered',
          async () => {
            delivered += (await device.wake()).delivered;
            return delivered === 1;
          },
          WITHIN_MS,
        );
        expect(counters.get(`opened.${kid!.old}`)).toBe(1);
        // The router reads the notice a moment later: then it goes with the next reading.
        await until(
          'the device knows the new key',
          async () => {
            if (readDeviceIdentity(file).owners[ORES]!.kid === kid!.new) return true;
            await closeDay();
            delivered += (await device.wake()).delivered;
            await delay(200);
            return false;
          },
          WITHIN_MS,
        );
        await closeDay();
        await until(
          'a reading that was sealed to the new key is delivered',
          async () => {
            await device.wake();
            return counters.get(`opened.${kid!.new}`) > 0;
          },
          WITHIN_MS,
        );
        expect(device.pending()).toBe(0);
        finishRollover(context);
        expect(existsSync(layout.sealing(ORES, kid!.old).key)).toBe(false);
        await until(
          'the router has forgotten the old key',
          () => counters.get('sealing.keys') === 1,
          WITHIN_MS,
        );
        expect(headEnd.records(ORES)).toHaveLength(delivered + 1);
      } finally {
        await device.close();
        await headEnd.stop();
        rmSync(field.directory, { recursive: true });
      }
    },
    WITHIN_MS,
  );
});

const METERS = 8;
const SEED = 1;

describe('a fleet beside npm start', () => {
  it(
    'goes on sending through a roll-over of the sealing key and then of the issuing CA',
    async () => {
      const data = folder.join('data');
      const records = folder.join('records.jsonl');
      const devices = join(data, 'devices');
      const tenants = CONSORTIUM.filter(({ id }) => id === ORES || id === PIDPA);
      const fleet = planFleet({ seed: SEED, meters: METERS, tenants });
      provision(join(data, 'pki'), devices, fleet.devices);
      const hes = new Hes(
        [
          'up',
          '--meters',
          String(METERS),
          '--seed',
          String(SEED),
          '--speed',
          '60',
          '--config',
          folder.twoTenants(),
        ].concat(['--port', '0', '--data', data, '--mdm-out', records]),
      );
      running.push(hes);
      const delivered = (): number => readRecords(records).length;
      const more = async (count: number): Promise<void> => {
        const before = delivered();
        await until(`${count} more records: ${hes.stderr}`, () => delivered() >= before + count, WITHIN_MS);
      };
      await more(16);
      await until('all of it runs', () => existsSync(join(data, 'desks.json')), WITHIN_MS);

      const identityOf = (device: DeviceId): DeviceIdentity =>
        readDeviceIdentity(deviceIdentityFile(devices, device));
      const layout = pkiLayout(join(data, 'pki'));
      const owned = fleet.devices.filter(({ home, guests }) => [home, ...guests].includes(ORES));
      const own = fleet.devices.filter(({ home }) => home === ORES);
      expect(own.length).toBeGreaterThan(0);
      const hesPki = async (...args: readonly string[]): Promise<unknown> => {
        const end = await runHes(['pki', 'rollover', ...args, '--tenant', ORES, '--data', data, '--json']);
        expect(end.code, end.stderr).toBe(0);
        return JSON.parse(end.stdout);
      };
      const start = async (what: string): Promise<{ readonly old: string; readonly new: string }> => {
        const { sealingKey } = (await hesPki('start', what, '--overlap-days', '0')) as {
          sealingKey: { old: string; new: string };
        };
        await until(
          `every device seals to the new key: ${hes.stderr}`,
          () => owned.every(({ id }) => identityOf(id).owners[ORES]!.kid === sealingKey.new),
          WITHIN_MS,
        );
        return sealingKey;
      };

      const first = await start('sealing');
      // Whatever was sealed before is given by then.
      await more(4 * METERS);
      await hesPki('finish');
      expect(existsSync(layout.sealing(ORES, first.old).key)).toBe(false);
      await more(16);

      const second = await start('field');
      const issuerOf = (pem: string): string | null =>
        parseCertificate(derOf('CERTIFICATE', pem)).authorityKeyId;
      const present = openPki({ directory: layout.directory, nowMs: Date.now() }).authorities.get(ORES)!;
      const keyId = present.certificate.subjectKeyId;
      await until(
        `every device has renewed its keys: ${hes.stderr}`,
        () =>
          own.every(({ id }) => {
            const { tls, sign, agree } = identityOf(id);
            return [tls, sign, agree].every(({ certificate }) => issuerOf(certificate) === keyId);
          }),
        3 * WITHIN_MS,
      );
      await more(4 * METERS);
      await hesPki('finish');
      for (const file of [layout.sealing(ORES, second.old).key, layout.former(ORES).key])
        expect(existsSync(file)).toBe(false);
      await more(4 * METERS);

      hes.kill('SIGTERM', 'alone');
      expect(await hes.end()).toMatchObject({ code: 0 });
      const emulated = { seed: SEED, meters: METERS, tenants: [ORES, PIDPA] };
      const accepted = Map.groupBy(readRecords(records), ({ tenant }) => tenant);
      const days = [...accepted.values()].flat().map((record) => contentOf(record).name.split('/')[2]!);
      const firstDay = dayNamed(days.toSorted()[0]!);
      const lastDay = dayNamed(days.toSorted().at(-1)!);
      const { settled, parked } = outboxesOf(devices, streamsOf(emulated), firstDay);
      expect(parked).toEqual([]);
      const all = emulatedIndexes(emulated, daysFrom(firstDay.name, lastDay.ordinal - firstDay.ordinal + 1));
      const { lost, ...rest } = judge(all, accepted);
      expect({ ...rest, lost: [] }).toEqual(INNOCENT);
      // Of what is not there each still lies in its device's outbox, or its day had not been closed yet.
      expect(new Set(lost).intersection(new Set<string>(settled))).toEqual(new Set());
    },
    8 * WITHIN_MS,
  );
});

/**
 * The fleet's identities, with certificates of two days in place of five years: a device moves to a new CA within a
 * sixtieth of their life, and that is a month of those.
 */
function provision(
  directory: string,
  devices: string,
  fleet: readonly { readonly id: DeviceId; readonly home: TenantId; readonly guests: readonly TenantId[] }[],
): void {
  const nowMs = Date.now();
  const pki = createDevelopmentPki({ directory, tenants: [ORES, PIDPA], nowMs });
  for (const { id, home, guests } of fleet)
    saveDeviceIdentity(devices, issueDevice(pki, { device: id, home, guests, nowMs, lifeDays: LIFE_DAYS }), {
      durable: false,
    });
}
const LIFE_DAYS = 2;
