/**
 * The part of CDDL (RFC 8610) that docs/protocol is written in, as a tree: maps with integer keys, `.cbor`,
 * `.size`, `.regexp`, ranges, enumerations, tags, and groups that maps take in by name. Test support: it reads
 * files of this repository only.
 */
export type Type =
  | { readonly kind: 'choice'; readonly options: readonly Type[] }
  | { readonly kind: 'value'; readonly value: number | string | Uint8Array }
  | { readonly kind: 'range'; readonly min: number; readonly max: number }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'map'; readonly entries: readonly Entry[] }
  | { readonly kind: 'array'; readonly entries: readonly Entry[] }
  | { readonly kind: 'group'; readonly entries: readonly Entry[] }
  | { readonly kind: 'tag'; readonly tag: number; readonly content: Type }
  | { readonly kind: 'control'; readonly control: Control; readonly target: Type; readonly argument: Type };

export type Control = 'size' | 'regexp' | 'cbor';

/** A member of a map or an array: how often, under which key, of which type. */
export interface Entry {
  readonly min: number;
  readonly max: number;
  readonly key: number | null;
  readonly type: Type;
}

export type Rules = ReadonlyMap<string, Type>;

const TOKEN =
  /\s*(?:;[^\n]*\n\s*)*(=>|\.\.|h'[0-9a-f]*'|"(?:[^"\\]|\\.)*"|#6\.\d+|\.[a-z]+|-?\d+|[A-Za-z_$@][\w.$@-]*|[=/{}[\](),:?*+&])|\s*(?:;[^\n]*(?:\n\s*|$))*$/y;

function tokens(source: string): string[] {
  const found: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (match === null) throw new Error(`CDDL: nothing known at …${source.slice(at, at + 30)}…`);
    if (match[1] === undefined) break;
    found.push(match[1]);
  }
  return found;
}

class Parser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(source: string) {
    this.#tokens = tokens(source);
  }

  rules(): Rules {
    const rules = new Map<string, Type>();
    while (this.#at < this.#tokens.length) {
      const name = this.#take();
      this.#expect('=');
      if (rules.has(name)) throw new Error(`CDDL: ${name} twice`);
      rules.set(name, this.#group() ?? this.#type());
    }
    return rules;
  }

  #peek(ahead = 0): string | undefined {
    return this.#tokens[this.#at + ahead];
  }

  #take(): string {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw new Error('CDDL: ends too early');
    this.#at += 1;
    return token;
  }

  #expect(token: string): void {
    const found = this.#take();
    if (found !== token) throw new Error(`CDDL: expected ${token}, found ${found}`);
  }

  #skip(token: string): boolean {
    if (this.#peek() !== token) return false;
    this.#at += 1;
    return true;
  }

  /** `( 1 => …, 2 => … )`: members without a map of their own. */
  #group(): Type | undefined {
    const isGroup = this.#peek() === '(' && (this.#peek(2) === '=>' || this.#peek(3) === '=>');
    if (!isGroup) return undefined;
    this.#take();
    return { kind: 'group', entries: this.#entries(')') };
  }

  #type(): Type {
    const options = [this.#controlled()];
    while (this.#skip('/')) options.push(this.#controlled());
    return options.length === 1 ? options[0]! : { kind: 'choice', options };
  }

  #controlled(): Type {
    const target = this.#plain();
    if (this.#skip('..')) return range(target, this.#plain());
    const next = this.#peek();
    if (next === '.size' || next === '.regexp' || next === '.cbor') {
      this.#take();
      return { kind: 'control', control: next.slice(1) as Control, target, argument: this.#plain() };
    }
    return target;
  }

  #plain(): Type {
    const token = this.#take();
    if (token === '(') {
      const inner = this.#type();
      this.#expect(')');
      return inner;
    }
    if (token === '{') return { kind: 'map', entries: this.#entries('}') };
    if (token === '[') return { kind: 'array', entries: this.#entries(']') };
    if (token === '&') {
      this.#expect('(');
      return { kind: 'choice', options: this.#entries(')').map((entry) => entry.type) };
    }
    if (token.startsWith('#6.')) {
      this.#expect('(');
      const content = this.#type();
      this.#expect(')');
      return { kind: 'tag', tag: Number(token.slice(3)), content };
    }
    if (token.startsWith('"')) return { kind: 'value', value: JSON.parse(token) as string };
    if (token.startsWith("h'")) return { kind: 'value', value: Buffer.from(token.slice(2, -1), 'hex') };
    if (/^-?\d+$/.test(token)) return { kind: 'value', value: Number(token) };
    if (/^[A-Za-z_$@]/.test(token)) return { kind: 'name', name: token };
    throw new Error(`CDDL: no type begins with ${token}`);
  }

  #entries(closing: string): Entry[] {
    const entries: Entry[] = [];
    while (!this.#skip(closing)) {
      const { min, max } = this.#occurrence();
      let key: number | null = null;
      if (this.#peek(1) === '=>') {
        key = Number(this.#take());
        if (!Number.isInteger(key)) throw new Error('CDDL: only integers are keys here');
        this.#take();
      } else if (this.#peek(1) === ':') {
        // A name for the reader; in an array or an enumeration it is on no wire.
        this.#take();
        this.#take();
      }
      entries.push({ min, max, key, type: this.#type() });
      this.#skip(',');
    }
    return entries;
  }

  #occurrence(): { min: number; max: number } {
    if (this.#skip('?')) return { min: 0, max: 1 };
    if (this.#skip('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    const least = this.#peek();
    if (least !== undefined && /^\d+$/.test(least) && this.#peek(1) === '*') {
      this.#take();
      this.#take();
      return { min: Number(least), max: Number(this.#take()) };
    }
    return { min: 1, max: 1 };
  }
}

function range(min: Type, max: Type): Type {
  if (min.kind !== 'value' || max.kind !== 'value') throw new Error('CDDL: a range is of two numbers');
  return { kind: 'range', min: Number(min.value), max: Number(max.value) };
}

/** The members of a map, with those of the groups that it takes in by name. */
function spliced(rules: Rules, entries: readonly Entry[]): readonly Entry[] {
  return entries.flatMap((entry) => {
    const group = entry.key === null && entry.type.kind === 'name' ? rules.get(entry.type.name) : undefined;
    return group?.kind === 'group' ? spliced(rules, group.entries) : [entry];
  });
}

/** @throws Error where the text is not of this part of CDDL */
export function parseCddl(source: string): Rules {
  const rules = new Parser(source).rules();
  return new Map(
    [...rules].map(([name, type]) => [
      name,
      // A group is of maps that are rules themselves: nothing else needs it here.
      type.kind === 'map' ? { kind: 'map', entries: spliced(rules, type.entries) } : type,
    ]),
  );
}
