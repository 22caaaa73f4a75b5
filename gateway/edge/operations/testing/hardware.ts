import type { Action, ActionResult, Hardware } from '../step.ts';

/** Hardware in memory that outlives processes: positions, and a count of what was done. */
export class FakeHardware implements Hardware {
  readonly done: Action[] = [];
  readonly #positions = new Map<string, string>();
  /** What the next actions of a kind come to, in place of `done`. */
  readonly fails = new Map<Action['kind'], ActionResult>();
  /** Kinds of which the hardware cannot tell whether they stand. */
  readonly mute = new Set<Action['kind']>();
  /** Before and after each action. */
  onMoment: () => void = () => {};

  perform(action: Action): ActionResult {
    this.onMoment();
    const failure = this.fails.get(action.kind);
    if (failure !== undefined) return failure;
    this.done.push(action);
    this.#positions.set(placeOf(action), JSON.stringify(action));
    this.onMoment();
    return 'done';
  }

  standing(action: Action): boolean | undefined {
    if (this.mute.has(action.kind)) return undefined;
    return this.#positions.get(placeOf(action)) === JSON.stringify(action);
  }

  count(kind: Action['kind']): number {
    return this.done.filter((action) => action.kind === kind).length;
  }
}

const placeOf = (action: Action): string => `${action.kind} ${'channel' in action ? action.channel : 0}`;
