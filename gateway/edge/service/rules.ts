import type { z } from 'zod';

/**
 * Rules of `edge.yaml` between its keys. What would collide without a word is refused where it can be seen: two
 * meters in one place of the index, two readers of one port.
 */

interface Endpoint {
  readonly tcp?: { readonly host: string; readonly port: number } | undefined;
  readonly rtuTcp?: { readonly host: string; readonly port: number } | undefined;
  readonly serial?: { readonly path: string } | undefined;
}

interface P1 extends Endpoint {
  readonly file?: string | undefined;
  readonly stdin?: true | undefined;
  readonly time?: 'arrival' | 'telegram' | undefined;
}

interface Modbus {
  readonly endpoint: Endpoint;
  readonly meters: readonly { readonly channel: number }[];
}

interface Source {
  readonly p1?: P1 | undefined;
  readonly modbus?: Modbus | undefined;
}

interface Device {
  readonly identity: string;
  readonly owners: readonly { readonly channel?: number | undefined; readonly serial?: string | undefined }[];
  readonly sources: readonly Source[];
}

interface Edge {
  readonly devices: readonly Device[];
}

type Context = Pick<z.core.$RefinementCtx, 'addIssue'>;

function refuse(context: Context, keys: readonly string[], message: string): void {
  context.addIssue({ code: 'custom', message, params: { keys } });
}

/** Two things that are alike, by their keys. */
function* twice<T>(things: Iterable<readonly [key: string, thing: T]>, by: (thing: T) => string | null) {
  const first = new Map<string, string>();
  for (const [key, thing] of things) {
    const mark = by(thing);
    if (mark === null) continue;
    const before = first.get(mark);
    if (before === undefined) first.set(mark, key);
    else yield [before, key] as const;
  }
}

/** What collides within one device. */
export function deviceRules({ owners, sources }: Device, context: Context): void {
  for (const keys of twice(sources.flatMap(channelsOf), String))
    refuse(
      context,
      keys,
      'two meters on one channel; a P1 port takes channel 0 for its own meter. Give a Modbus meter another channel (1 to 4), and a second P1 port a device of its own',
    );
  for (const keys of twice(
    owners.map((owner, index) => [`owners.${index}`, owner] as const),
    ({ channel, serial }) => (channel === undefined ? `serial ${serial}` : `channel ${channel}`),
  ))
    refuse(context, keys, 'one meter has one owner');
  const recording = sources.findIndex(({ p1 }) => p1 !== undefined && isRecording(p1));
  const live = sources.findIndex(({ p1 }) => p1 === undefined || !isRecording(p1));
  if (recording >= 0 && live >= 0)
    refuse(
      context,
      [`sources.${recording}`, `sources.${live}`],
      'a recording brings its own time, and cannot share a device with a live source',
    );
}

function channelsOf({ modbus }: Source, index: number): (readonly [key: string, channel: number])[] {
  if (modbus === undefined) return [[`sources.${index}.p1`, 0]];
  return modbus.meters.map(({ channel }, meter) => [
    `sources.${index}.modbus.meters.${meter}.channel`,
    channel,
  ]);
}

/** What collides between devices. */
export function edgeRules({ devices }: Edge, context: Context): void {
  for (const keys of twice(
    devices.map(({ identity }, index) => [`devices.${index}.identity`, identity] as const),
    (identity) => identity,
  ))
    refuse(context, keys, 'two devices with one identity');
  const ports = devices.flatMap(({ sources }, index) =>
    sources.map(({ p1, modbus }, at) => {
      const key = `devices.${index}.sources.${at}.${p1 === undefined ? 'modbus.endpoint' : 'p1'}`;
      return [key, p1 ?? modbus?.endpoint ?? {}] as const;
    }),
  );
  for (const keys of twice<P1>(ports, portOf))
    refuse(context, keys, 'two sources with one port; most serve one reader at a time');
}

function portOf({ serial, tcp, rtuTcp, file, stdin }: P1): string | null {
  if (serial !== undefined) return `port ${serial.path}`;
  const bridge = tcp ?? rtuTcp;
  if (bridge !== undefined) return `bridge ${bridge.host}:${bridge.port}`;
  if (file !== undefined) return `file ${file}`;
  return stdin === true ? 'stdin' : null;
}

/** Whether its telegrams bring their own time: a recording, not a live port. */
export function isRecording({ file, time }: P1): boolean {
  return (time ?? (file === undefined ? 'arrival' : 'telegram')) === 'telegram';
}
