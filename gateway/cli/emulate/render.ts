import type { MeterFault } from '../../../meter-emulator/meter/faults.ts';
import { METER_FAULTS } from '../../../meter-emulator/meter/faults.ts';
import type { MeterScreen } from '../../../meter-emulator/operations/screen.ts';
import type { P1MeterState } from '../../../meter-emulator/p1/encode.ts';
import { positionOf, SCREEN_TITLES } from './screen-text.ts';
import type { Page } from './screens.ts';

/** Everything that the terminal shows. */
export interface MeterView {
  readonly seed: number;
  readonly dialect: string;
  readonly state: P1MeterState;
  readonly page: Page;
  readonly position: string;
  /** Real time on a terminal that is looked at: the arrow of a breaker that may be closed blinks. */
  readonly blinkOn: boolean;
  readonly readers: number;
  readonly telegrams: number;
  readonly standing: readonly MeterFault[];
  readonly places: readonly string[];
  readonly choosingFault: boolean;
  readonly note: string;
  /** What commands made of it; null where nobody commands it. */
  readonly commanded: MeterScreen | null;
}

const LCD_WIDTH = 44;

export function renderMeter(view: MeterView): string[] {
  const { state, commanded } = view;
  return [
    ` SIMULATED METER - measures nothing; household ${view.seed}, ${view.dialect}`,
    '',
    ` ┌${'─'.repeat(LCD_WIDTH)}┐`,
    ...(commanded?.power === 'off' ? DARK : lcdOf(view)),
    ` └${'─'.repeat(LCD_WIDTH)}┘`,
    ...(state.message === '' ? [] : [` Message: ${state.message}`]),
    ...view.places.map((place) => ` ${place}`),
    ` ${view.telegrams} telegrams; ${view.readers} ${view.readers === 1 ? 'reader' : 'readers'}`,
    ` Faults: ${view.standing.length === 0 ? 'none' : view.standing.join(', ')}`,
    ` ${view.note}`,
    '',
    ` ${view.choosingFault ? faultKeys() : keys(commanded)}`,
  ];
}

function lcdOf({ state, page, position, blinkOn, standing, commanded }: MeterView): string[] {
  const closed = standing.includes('closed') || commanded?.port === 'off';
  return [
    lcd(page.code, `T${state.rate}`),
    lcd('', ''),
    lcd('', page.value),
    ...(commanded === null ? [lcd('', '')] : commandedLines(commanded, blinkOn)),
    lcd(breakerText(state.breaker, blinkOn), position),
    lcd(localTime(state), closed ? 'P1 closed' : 'P1 open'),
  ];
}

/** The screens of prepayment and the symbols, beside the registers that go on going round. */
function commandedLines({ tariff, display, connected, valves }: MeterScreen, blinkOn: boolean): string[] {
  const { shown, screens, symbols } = display;
  const signs = [
    symbols.lowCredit && 'LOW CREDIT',
    symbols.emergencyCredit && 'EMERGENCY',
    symbols.airplane && 'AIRPLANE',
    symbols.communication && (connected === true ? 'COM' : 'com'),
  ].filter((sign) => sign !== false);
  return [
    ...(shown === null
      ? []
      : [lcd(`${SCREEN_TITLES[shown.name]} ${positionOf(shown, screens)}`, shown.text)]),
    ...valves
      .filter(({ supply }) => supply !== 'on')
      .map(({ medium, supply, testing }) =>
        lcd(`${medium} ${testing ? 'leak test' : supply}${supply === 'ready' && blinkOn ? ' ▲' : ''}`, ''),
      ),
    lcd(signs.join('  '), tariff.plan),
  ];
}

/** A meter without power. */
const DARK: readonly string[] = Array.from({ length: 6 }, () => lcd('', ''));

const keys = (commanded: MeterScreen | null): string =>
  commanded === null
    ? 'space: button   f: faults   q: quit'
    : 'space: button   h: hold it   a: end airplane mode   p: power   f: faults   q: quit';

function lcd(left: string, right: string): string {
  const inner = LCD_WIDTH - 2;
  const room = Math.max(0, inner - right.length - 1);
  return ` │ ${left.slice(0, room).padEnd(inner - Math.min(right.length, inner))}${right.slice(0, inner)} │`;
}

/** Ready to be closed by the person on site: the arrow above the switch blinks. */
function breakerText(breaker: P1MeterState['breaker'], blinkOn: boolean): string {
  if (breaker === null) return '';
  if (breaker === 2) return `switch ready ${blinkOn ? '▲' : ' '}`;
  return breaker === 1 ? 'switch closed' : 'switch open';
}

/** The meter's own clock, with its own offset. */
function localTime({ time }: P1MeterState): string {
  const local = new Date((time.epochSeconds + time.offsetMinutes * 60) * 1_000).toISOString();
  return `${local.slice(0, 10)} ${local.slice(11, 19)}`;
}

function faultKeys(): string {
  return Object.entries(METER_FAULTS)
    .map(([name, { key }]) => `${key} ${name}`)
    .join('  ');
}
