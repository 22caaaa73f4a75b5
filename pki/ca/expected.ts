import { createHmac, type randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { GUESTS_MAX } from '../verify/device-certificate.ts';

/** Devices that an authority expects. Whatever else asks is refused. */

export interface ExpectedDevice {
  readonly device: DeviceId;
  readonly home: TenantId;
  readonly guests: readonly TenantId[];
  readonly registeredAtMs: number;
  readonly retiredAtMs: number | null;
}

export interface ExpectedDevices {
  /**
   * Expect a device: by its manufacturer's serial number, by the key of its birth certificate (SHA-256, hex), or by
   * a code only. The same again changes nothing. @throws ERR_CA_CONFLICT
   */
  add(
    about: Pick<ExpectedDevice, 'device' | 'home' | 'guests'> & {
      readonly serial?: string;
      readonly birthKey?: string;
    },
    by: string,
  ): ExpectedDevice;
  find(device: DeviceId): ExpectedDevice | undefined;
  bySerial(serial: string): ExpectedDevice | undefined;
  byBirthKey(keyHash: string): ExpectedDevice | undefined;
  /** It gets no certificate any more; those that it has are revoked apart. */
  retire(device: DeviceId, by: string): void;
  /** A fresh code, for the installer's eyes: it is kept as a hash. @throws ERR_CA_DEVICE */
  newCode(device: DeviceId, expiresAtMs: number, by: string): string;
  /**
   * Whose code this is. It is good once for each `use`; the same key may come again, because an answer can be lost.
   * @throws ERR_CA_CODE where it is unknown, over, or was used with another key
   */
  useCode(
    code: string,
    about: { readonly use: string; readonly keyHash: string; readonly nowMs: number },
  ): ExpectedDevice;
}

/** Without letters and digits that look alike (Crockford); 32 of them, so five bits of a random octet each. */
const CODE_ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 100 bits: nobody guesses one in its time, however often he may ask. */
const CODE_CHARACTERS = 20;
const CODE_GROUP = 5;
const CODE_TEXT_MAX = 64;
const SERIAL_CHARACTERS_MAX = 64;

export function expectedDevices(
  database: DatabaseSync,
  tools: {
    readonly nowMs: () => number;
    readonly random: typeof randomBytes;
    readonly transaction: <Result>(work: () => Result) => Result;
    readonly audit: (entry: {
      atMs: number;
      event: 'device-registered' | 'device-retired' | 'code-made' | 'code-used';
      by: string;
      subject: string;
      reason?: string;
    }) => void;
  },
): ExpectedDevices {
  const { nowMs, random, transaction, audit } = tools;
  const pepper = database.prepare('SELECT pepper FROM register').get()?.['pepper'] as Uint8Array;
  // Serial numbers are few and follow each other: a plain hash of one is as good as the number itself.
  const peppered = (what: string, text: string): string =>
    createHmac('sha256', pepper).update(`${what} ${text}`).digest('hex');
  const serialHash = (serial: string): string => peppered('serial', serial.trim().toUpperCase());

  const by = (column: 'device' | 'serialHash' | 'birthKey') => {
    const statement = database.prepare(`SELECT * FROM devices WHERE ${column} = ?`);
    return (value: string): ExpectedDevice | undefined => deviceOf(statement.get(value));
  };
  const find = by('device');
  const bySerialHash = by('serialHash');
  const byBirthKey = by('birthKey');
  const insert = database.prepare(
    'INSERT INTO devices (device, home, guests, serialHash, birthKey, registeredAtMs) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const retire = database.prepare(
    'UPDATE devices SET retiredAtMs = ? WHERE device = ? AND retiredAtMs IS NULL',
  );
  const addCode = database.prepare('INSERT INTO codes (codeHash, device, expiresAtMs) VALUES (?, ?, ?)');
  const code = database.prepare('SELECT device, expiresAtMs FROM codes WHERE codeHash = ?');
  const codeUse = database.prepare('SELECT keyHash FROM codeUses WHERE codeHash = ? AND use = ?');
  const addUse = database.prepare('INSERT INTO codeUses (codeHash, use, keyHash, atMs) VALUES (?, ?, ?, ?)');

  return {
    find,
    byBirthKey,
    bySerial: (serial) => bySerialHash(serialHash(serial)),
    add: ({ device, home, guests, serial, birthKey }, who) =>
      transaction(() => {
        if (new Set([home, ...guests]).size !== guests.length + 1 || guests.length > GUESTS_MAX)
          throw conflict(`guests are up to ${GUESTS_MAX} other tenants than the home, each once`);
        if (serial !== undefined && (serial.trim() === '' || serial.length > SERIAL_CHARACTERS_MAX))
          throw conflict('a serial number is empty or too long');
        const known = find(device);
        const hash = serial === undefined ? null : serialHash(serial);
        const others = [hash === null ? undefined : bySerialHash(hash), byBirthKey(birthKey ?? '')];
        if (others.some((other) => other !== undefined && other.device !== device))
          throw conflict('another device was registered with this serial number or birth key');
        if (known !== undefined) {
          if (known.home !== home || known.guests.join() !== guests.join() || known.retiredAtMs !== null)
            throw conflict(`device ${device} is registered with other tenants, or was retired`);
          return known;
        }
        const atMs = nowMs();
        insert.run(device, home, guests.join(), hash, birthKey ?? null, atMs);
        audit({ atMs, event: 'device-registered', by: who, subject: device });
        return { device, home, guests, registeredAtMs: atMs, retiredAtMs: null };
      }),
    retire: (device, who) =>
      transaction(() => {
        const atMs = nowMs();
        if (Number(retire.run(atMs, device).changes) > 0)
          audit({ atMs, event: 'device-retired', by: who, subject: device });
      }),
    newCode: (device, expiresAtMs, who) =>
      transaction(() => {
        if (find(device)?.retiredAtMs !== null)
          throw pkiError('ERR_CA_DEVICE', `device ${device} is not expected here`);
        const text = newCodeText(random);
        addCode.run(peppered('code', codeWord(text)), device, expiresAtMs);
        audit({ atMs: nowMs(), event: 'code-made', by: who, subject: device });
        return text;
      }),
    useCode: (text, { use, keyHash, nowMs: atMs }) =>
      transaction(() => {
        const codeHash = peppered('code', codeWord(text));
        const row = code.get(codeHash);
        const expected = row === undefined ? undefined : find(String(row['device']));
        // One error for all reasons: whoever guesses learns nothing.
        if (row === undefined || expected === undefined || expected.retiredAtMs !== null) throw noCode();
        if (atMs > Number(row['expiresAtMs'])) throw noCode();
        const before = codeUse.get(codeHash, use)?.['keyHash'];
        if (before === keyHash) return expected;
        if (before !== undefined) throw noCode();
        addUse.run(codeHash, use, keyHash, atMs);
        audit({ atMs, event: 'code-used', by: 'code', subject: expected.device, reason: use });
        return expected;
      }),
  };
}

function deviceOf(row: Record<string, unknown> | undefined): ExpectedDevice | undefined {
  if (row === undefined) return undefined;
  const { device, home, guests, registeredAtMs, retiredAtMs } = row as unknown as {
    device: DeviceId;
    home: TenantId;
    guests: string;
    registeredAtMs: number;
    retiredAtMs: number | null;
  };
  const list = guests === '' ? [] : (guests.split(',') as TenantId[]);
  return { device, home, guests: list, registeredAtMs, retiredAtMs };
}

function newCodeText(random: typeof randomBytes): string {
  const characters = [...random(CODE_CHARACTERS)].map((byte) => CODE_ALPHABET[byte & 31]!);
  const groups: string[] = [];
  for (let at = 0; at < CODE_CHARACTERS; at += CODE_GROUP)
    groups.push(characters.slice(at, at + CODE_GROUP).join(''));
  return groups.join('-');
}

/** As it was meant, however it was typed. */
const codeWord = (text: string): string =>
  text.slice(0, CODE_TEXT_MAX).toUpperCase().replace(/[\s-]/g, '').replace(/[IL]/g, '1').replace(/O/g, '0');

const conflict = (why: string) => pkiError('ERR_CA_CONFLICT', why);
const noCode = () => pkiError('ERR_CA_CODE', 'the one-time code is unknown, over, or was used before');
