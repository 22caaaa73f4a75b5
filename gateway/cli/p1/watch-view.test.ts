import { describe, expect, it } from 'vitest';
import { EMUCS_2_1_1, sealed } from '../../edge/p1/example.ts';
import { readTelegrams } from '../../edge/p1/reader.ts';
import type { P1SourceStatus } from '../../edge/sources/source.ts';
import { countsText, LinesView, ScreenView, stateText, type WatchedPort } from './watch-view.ts';

const NOW_MS = 1_790_000_000_000;
const TELEGRAM = readTelegrams(Buffer.from(sealed(EMUCS_2_1_1), 'latin1')).telegrams[0]!;

const port = (status: Partial<P1SourceStatus> = {}, foreign: string | null = null): WatchedPort => ({
  name: '/dev/ttyUSB0',
  foreign,
  status: {
    state: 'receiving',
    sinceMs: NOW_MS - 9_000,
    mode: '115200 8N1',
    lastTelegramMs: NOW_MS - 400,
    telegrams: 7,
    bytes: 7_000,
    noiseBytes: 0,
    faults: {},
    openings: 1,
    ...status,
  },
});

describe('a watched port in words', () => {
  it('says what to look at when nothing arrives', () => {
    const closed = port({ state: 'port-closed', telegrams: 0, lastTelegramMs: null });
    expect(stateText(closed)).toContain('ask the operator to open it');
    expect(countsText(closed, NOW_MS)).toBe('0 telegrams');
  });

  it('names another protocol only while no telegram was seen', () => {
    const foreign = 'SML (1B1B1B1B 01010101), as German ports push it';
    expect(stateText(port({ telegrams: 0, state: 'wrong-speed' }, foreign))).toContain('It speaks SML');
    expect(stateText(port({}, foreign))).not.toContain('SML');
  });

  it('counts what went wrong', () => {
    expect(countsText(port({ faults: { 'crc-invalid': 2 }, noiseBytes: 31 }), NOW_MS)).toBe(
      '7 telegrams, the last 0 s ago, 2 × crc-invalid, 31 bytes of noise',
    );
  });
});

describe('a view in lines', () => {
  it('says each state once, and prints each telegram', () => {
    const said: string[] = [];
    const printed: string[] = [];
    const view = new LinesView({
      print: (text) => printed.push(text),
      say: (text) => said.push(text),
      telegram: ({ header }) => header,
      fault: (fault) => fault,
    });
    for (const telegrams of [1, 2, 3]) view.state(port({ telegrams }));
    view.state(port({ state: 'silent' }));
    view.telegram(TELEGRAM);
    view.fault('crc-invalid');
    expect(said).toHaveLength(2);
    expect(printed).toEqual(['FLU5\\253770999_B', 'crc-invalid']);
  });
});

describe('a view on a screen', () => {
  function screen(rows = 100): { view: ScreenView; pictures: string[] } {
    const pictures: string[] = [];
    const view = new ScreenView({
      print: (text) => pictures.push(text),
      rows: () => rows,
      nowMs: () => NOW_MS,
    });
    return { view, pictures };
  }

  it('draws the last telegram under the state of the port, and only what changed', () => {
    const { view, pictures } = screen();
    view.state(port());
    view.telegram(TELEGRAM);
    view.state(port());
    view.state(port());
    expect(pictures).toHaveLength(3);
    expect(pictures[2]).toContain('active energy import, rate 1');
    expect(pictures[2]).toContain('telegrams arrive');
  });

  it('is no higher than the window, and says that there is more', () => {
    const { view, pictures } = screen(10);
    view.telegram(TELEGRAM);
    view.state(port());
    expect(pictures.at(-1)!.split('\n')).toHaveLength(9);
    expect(pictures.at(-1)).toContain('a taller window');
  });

  it('keeps the last reading beside a fault, and leaves the terminal as it was', () => {
    const { view, pictures } = screen();
    view.telegram(TELEGRAM);
    view.fault('crc-invalid');
    view.state(port());
    expect(pictures.at(-1)).toContain('The last frame was no reading');
    expect(pictures.at(-1)).toContain('391.020');
    view.end();
    expect(pictures.join('')).toMatch(/\u001b\[\?1049l.*7 telegrams.*\n$/s);
  });
});
