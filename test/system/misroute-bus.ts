import { connect } from 'node:net';
import type { Frame } from '../../gateway/bus/local/frame.ts';
import { LOCAL_BUS_LIMITS } from '../../gateway/bus/local/limits.ts';
import { type FrameHandlers, Link, type LinkEnd } from '../../gateway/bus/local/link.ts';

const TYPES = [
  'hello',
  'welcome',
  'refused',
  'serve',
  'served',
  'unserve',
  'unserved',
  'request',
  'answer',
  'failed',
] as const satisfies readonly Frame['type'][];

/** Somebody at a socket of the bus who says whatever the test wants, and notes all that is said to him. */
export class BusStranger {
  readonly link: Link;
  readonly heard: Frame[] = [];
  readonly ended: Promise<LinkEnd>;

  constructor(path: string) {
    const { promise, resolve } = Promise.withResolvers<LinkEnd>();
    this.ended = promise;
    const note = (frame: Frame): void => void this.heard.push(frame);
    const handlers = Object.fromEntries(TYPES.map((type) => [type, note])) as FrameHandlers;
    this.link = new Link(connect(path), LOCAL_BUS_LIMITS, handlers, resolve);
  }
}
