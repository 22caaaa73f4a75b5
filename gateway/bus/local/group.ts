import type { BusSubject } from '../port.ts';
import type { HandledRequest } from './handlers.ts';

/** One that serves: a process behind a link, or a handler in the hub's own process. */
export interface Member {
  /** Requests that it has and has not answered. */
  outstanding: number;
  readonly available: boolean;
  request(id: number, request: HandledRequest, deadlineMs: number): void;
}

export type Pick = Member | 'ERR_BUS_NO_RESPONDERS' | 'ERR_BUS_OVERLOADED';

/**
 * Who serves what within one tenant. A request goes to the member with the least unanswered ones, in turns where
 * they are equal: so a slow or frozen router gets what it manages and not its share.
 */
export class Groups {
  readonly #members = new Map<BusSubject, Member[]>();
  #turn = 0;

  add(subject: BusSubject, member: Member): void {
    const members = this.#members.get(subject) ?? [];
    if (!members.includes(member)) this.#members.set(subject, [...members, member]);
  }

  remove(subject: BusSubject, member: Member): void {
    const members = (this.#members.get(subject) ?? []).filter((other) => other !== member);
    if (members.length > 0) this.#members.set(subject, members);
    else this.#members.delete(subject);
  }

  removeAll(member: Member): void {
    for (const subject of [...this.#members.keys()]) this.remove(subject, member);
  }

  size(subject: BusSubject): number {
    return this.#members.get(subject)?.length ?? 0;
  }

  pick(subject: BusSubject): Pick {
    const members = this.#members.get(subject);
    if (members === undefined) return 'ERR_BUS_NO_RESPONDERS';
    const turn = this.#turn++;
    let best: Member | undefined;
    for (let i = 0; i < members.length; i++) {
      const member = members[(turn + i) % members.length]!;
      if (member.available && (best === undefined || member.outstanding < best.outstanding)) best = member;
    }
    return best ?? 'ERR_BUS_OVERLOADED';
  }
}
