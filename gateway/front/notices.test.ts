import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openPki } from '../../pki/ca/open.ts';
import { issueDevice } from '../../pki/development/development.ts';
import {
  finishRollover,
  type RolloverContext,
  startRollover,
  switchRollover,
} from '../../pki/rollover/rollover.ts';
import { encodeDownlink } from '../../protocol/downlink.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { NOTICE_BYTES_MAX } from '../../protocol/limits.ts';
import { downTopic, upTopic } from '../../protocol/topics.ts';
import { encodeUplinkAnswer } from '../../protocol/uplink.ts';
import { giveReceipt, RECEIPT } from './testing/fake-bus.ts';
import { counted, type Door, FARYS, Field, FLUVIUS, ORES, openDoor } from './testing/fixture.ts';
import { Meter } from './testing/meter.ts';
import { bytes, publish, subscribe, text } from './testing/wire.ts';

/** What of notices and of a roll-over a front does: it writes what it is given, once, and believes the CAs of its files. */

let field: Field;
let door: Door;

beforeAll(async () => {
  field = new Field();
  door = await openDoor(field);
});
afterEach(() => {
  for (const bus of door.buses.values()) bus.answer = giveReceipt;
});
afterAll(async () => {
  await door.stop();
  field.remove();
});

const PUBLISH = 0x30;
const PUBACK = 0x40;
const SUBACK = 0x90;
const NOTICE = Buffer.alloc(NOTICE_BYTES_MAX, 7);
const told = (notice: Uint8Array) => () => encodeUplinkAnswer({ kind: 'receipt', receipt: RECEIPT, notice });

describe('a notice that a router gives', () => {
  it('is written before the receipt, once over one connection, and again where it is another', async () => {
    const device = field.device(ORES);
    const meter = await Meter.ready(device, door.port);
    const send = async (messageId: number): Promise<void> => {
      meter.send(publish({ topic: upTopic(ORES, device.device, 'index'), messageId }));
      await meter.until(() => meter.of(PUBACK).length === messageId);
    };
    const notice = (payload: Uint8Array): Buffer =>
      bytes(text(downTopic(ORES, device.device, 'notice')), payload);
    const receipt = bytes(text(downTopic(ORES, device.device, 'receipt')), RECEIPT);
    door.bus(ORES).answer = told(NOTICE);
    await send(1);
    await send(2);
    expect(meter.of(PUBLISH)).toEqual([notice(NOTICE), receipt, receipt]);
    const other = Buffer.alloc(100, 8);
    door.bus(ORES).answer = told(other);
    await send(3);
    expect(meter.of(PUBLISH).slice(3)).toEqual([notice(other), receipt]);
    await meter.leave();
    const again = await Meter.ready(device, door.port);
    again.send(publish({ topic: upTopic(ORES, device.device, 'index') }));
    await again.until(() => again.of(PUBACK).length === 1);
    expect(again.of(PUBLISH)).toEqual([notice(other), receipt]);
    await again.leave();
  });
});

describe('a notice that a desk gives', () => {
  it('is written before its command, and to nobody else’s device', async () => {
    const device = field.device(FLUVIUS);
    const meter = await Meter.ready(device, door.port);
    meter.send(subscribe(downTopic(FLUVIUS, device.device, 'command'), 1));
    await meter.until(() => meter.of(SUBACK).length > 0);
    const sealed = Buffer.from('a sealed command');
    const send = (desk: TenantId) =>
      door
        .bus(desk)
        .ask('down.command', device.device, encodeDownlink({ home: FLUVIUS, sealed, notice: NOTICE }));
    await send(FARYS);
    await send(FLUVIUS);
    await send(FLUVIUS);
    await meter.until(() => meter.of(PUBLISH).length === 3);
    const command = bytes(text(downTopic(FLUVIUS, device.device, 'command')), sealed);
    expect(meter.of(PUBLISH)).toEqual([
      bytes(text(downTopic(FLUVIUS, device.device, 'notice')), NOTICE),
      command,
      command,
    ]);
    await meter.leave();
  });
});

describe('the roll-over of an issuing CA', () => {
  it('lets devices of both in, and at its end those of the old one out, while others stay', async () => {
    const { directory } = field.pki.layout;
    const open = () => openPki({ directory, nowMs: Date.now() });
    const context: RolloverContext = { open, tenant: FARYS, clock: { nowMs: Date.now }, by: 'test' };
    const [before, later, last, other] = [FARYS, FARYS, FARYS, ORES].map((home) => field.device(home));
    const staying = await Meter.ready(other!, door.port);
    const old = await Meter.ready(before!, door.port);
    startRollover(context, { kind: 'field', keep: (pem) => pem, leadMs: 0, overlapMs: 0 });
    await door.front.reload();
    switchRollover(context);
    await door.front.reload();
    const after = issueDevice(open(), { home: FARYS, nowMs: Date.now() });
    const fresh = await Meter.ready(after, door.port);
    // A second one of the old CA, over a handshake of now.
    const late = await Meter.ready(later!, door.port);
    await late.leave();
    expect([staying.closed, fresh.closed]).toEqual([false, false]);
    finishRollover(context, { evenIfUsed: true });
    const another = await Meter.ready(last!, door.port);
    await door.front.reload();
    await another.untilClosed();
    await old.untilClosed();
    expect([staying.closed, fresh.closed]).toEqual([false, false]);
    expect(await counted(door.counters, 'closed.revoked')).toBeGreaterThan(0);
    await Promise.all([staying.leave(), fresh.leave()]);
  });

  it('whose file is damaged changes nothing until it is whole again', async () => {
    const file = field.pki.layout.issuing(ORES).certificate;
    const whole = readFileSync(file, 'utf8');
    const failures = door.counters.get('crl.failures');
    appendFileSync(file, '-----BEGIN CERTIFICATE-----\nnonsense');
    await door.front.reload();
    expect(door.counters.get('crl.failures')).toBe(failures + 1);
    const meter = await Meter.ready(field.device(ORES), door.port);
    await meter.leave();
    writeFileSync(file, whole);
    await door.front.reload();
    expect(door.counters.get('crl.failures')).toBe(failures + 1);
  });
});
