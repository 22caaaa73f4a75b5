import type { BreakerWord, MeterScreen, SupplyWord } from '../../../meter-emulator/operations/screen.ts';

type Screen = MeterScreen['display']['screens'][number];

/** An emulated meter as it stands there: its LCD, what a label would say beside it, and what its customer port prints. */

const LCD_WIDTH = 44;
const INNER = LCD_WIDTH - 2;

/** The screens of prepayment as an LCD titles them. */
export const SCREEN_TITLES = {
  'last-update': 'last update',
  balance: 'balance',
  'emergency-credit': 'emergency credit',
} as const;

const SUPPLIES: Readonly<Record<SupplyWord, string>> = {
  off: 'shut (0)',
  on: 'lets through (1)',
  ready: 'ready for the button (2)',
};

const POSITIONS: Readonly<Record<BreakerWord, string>> = {
  open: 'open (0)',
  closed: 'closed (1)',
  armed: 'ready for the button (2)',
};

export function screenText(screen: MeterScreen): string {
  const { device, home, medium, connected, power } = screen;
  const link = connected === null ? '' : connected ? ', connected' : ', not connected';
  return `${[
    ` SIMULATED METER ${device} - measures nothing; ${medium}, ${home}${link}`,
    ...(power === 'on' ? lcdOf(screen) : frame([lcd('', ''), lcd('no power', ''), lcd('', '')])),
    ...(power === 'on' ? beside(screen) : []),
    ...(screen.ean === undefined ? [] : [row('Label', `EAN ${screen.ean}`)]),
    ...portOf(screen),
  ].join('\n')}\n`;
}

function lcdOf({ display, tariff, breaker, valves, message }: MeterScreen): string[] {
  const { shown, screens, symbols } = display;
  // What it counted leaves a meter sealed, and not through a socket for people who try things.
  const title = shown === null ? 'registers are not shown here' : SCREEN_TITLES[shown.name];
  const position = shown === null ? '' : positionOf(shown, screens);
  const signs = [
    symbols.lowCredit && 'LOW CREDIT',
    symbols.emergencyCredit && 'EMERGENCY CREDIT',
    symbols.airplane && 'AIRPLANE',
    symbols.communication && 'COM',
  ].filter((sign) => sign !== false);
  const valve = valves.find(({ channel }) => channel === 0)?.supply;
  const own = breaker === null ? (valve === undefined ? '' : `supply ${valve}`) : `switch ${breaker}`;
  const arrow = symbols.arrow === 'blinking' ? ' ▲ press' : '';
  return frame([
    lcd(title, position),
    lcd('', shown?.text ?? ''),
    lcd(signs.join('  '), ''),
    lcd(`${own}${arrow}`, breaker === null ? '' : `${tariff.plan}  T${tariff.rate}`),
    ...(message === '' ? [] : [lcd(message, '')]),
  ]);
}

/** By its name: what crossed a socket is another object. */
export function positionOf(shown: Screen, screens: readonly Screen[]): string {
  return `${screens.findIndex(({ name }) => name === shown.name) + 1}/${screens.length}`;
}

const frame = (lines: readonly string[]): string[] => [
  ` ┌${'─'.repeat(LCD_WIDTH)}┐`,
  ...lines,
  ` └${'─'.repeat(LCD_WIDTH)}┘`,
];

function lcd(left: string, right: string): string {
  const end = right.slice(0, INNER);
  const room = Math.max(0, INNER - end.length - 1);
  return ` │ ${left.slice(0, room).padEnd(INNER - end.length)}${end} │`;
}

function beside({
  display,
  tariff,
  creditMode,
  breaker,
  valves,
  limiterW,
  message,
  airplaneSince,
}: MeterScreen) {
  const { plan, rate, rateName, next } = tariff;
  const later = next === null ? '' : `; from ${next.from}: ${next.plan}`;
  const isElectric = breaker !== null;
  return [
    ...display.screens.map(({ name, text }, index) =>
      row(index === 0 ? 'Button' : '', `${index + 1} ${SCREEN_TITLES[name].padEnd(17)}${text}`),
    ),
    row('Credit', creditMode === 'prepaid' ? 'prepayment' : 'usual'),
    ...(isElectric ? [row('Tariff', `${plan}, rate ${rate} (${rateName})${later}`)] : []),
    ...(breaker === null ? [] : [row('Breaker', POSITIONS[breaker])]),
    ...valves.map(({ channel, medium, supply, testing }) =>
      row(`Valve ${channel}`, `${medium}: ${testing ? 'leak test runs' : SUPPLIES[supply]}`),
    ),
    ...(isElectric
      ? [row('Limiter', limiterW === null ? 'none' : `${(limiterW / 1_000).toFixed(1)} kW`)]
      : []),
    ...(message === '' ? [] : [row('Message', message)]),
    ...(airplaneSince === null ? [] : [row('Airplane', `since ${airplaneSince}: it sends nothing`)]),
  ];
}

const row = (name: string, text: string): string => ` ${name.padEnd(9)} ${text}`;

function portOf({ p1, port, power, breaker }: MeterScreen): string[] {
  if (p1 !== null) return [' P1 prints', ...p1.map((line) => `   ${line}`)];
  if (power === 'off') return [];
  // Only electricity meters have a customer port.
  if (breaker === null) return [];
  return [row('P1', port === 'off' ? 'closed: it says nothing' : 'none')];
}
