/** The bot's commands, in the server's own grammar: what does not match it is an ordinary message. */

export type Command = { kind: 'hello' } | { kind: 'stock'; code: string };

/* Unicode's White_Space, as the server trims it: unlike \s and trim(), with U+0085 and without U+FEFF. */
const BLANK = String.raw`[ \t\r\n\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]`;
const BLANK_ENDS = new RegExp(`^${BLANK}+|${BLANK}+$`, 'g');

export function readCommand(content: string): Command | null {
  const text = content.replace(BLANK_ENDS, '');
  if (text === '/hello') return { kind: 'hello' };
  const stock = /^\/stock=([A-Za-z0-9.]{1,20})$/.exec(text);
  return stock?.[1] ? { kind: 'stock', code: stock[1].toUpperCase() } : null;
}

export interface Suggestion {
  insert: string;
  title: string;
  hint: string;
}

export const SUGGESTIONS: readonly Suggestion[] = [
  { insert: '/stock=', title: '/stock=CODE', hint: 'Ask StockBot for a quote, as in /stock=AAPL.US' },
  { insert: '/hello', title: '/hello', hint: 'A thought for the room' },
];

/** What the help offers for a draft: the commands it may become. */
export function suggest(draft: string): Suggestion[] {
  if (!draft.startsWith('/') || /\s/.test(draft)) return [];
  return SUGGESTIONS.filter(({ insert }) => insert.startsWith(draft) && insert !== draft);
}

export type Hint = { kind: 'command' | 'unfinished' | 'ordinary'; text: string };

/** What will become of a draft that begins like a command; null: it does not. */
export function hintFor(draft: string): Hint | null {
  if (!draft.startsWith('/')) return null;
  const command = readCommand(draft);
  if (command?.kind === 'stock') return { kind: 'command', text: `StockBot will look up ${command.code}` };
  if (command?.kind === 'hello') return { kind: 'command', text: 'StockBot will say something' };
  const code = /^\/stock=(.*)$/s.exec(draft)?.[1];
  if (code === undefined) return null;
  if (code === '') return { kind: 'unfinished', text: 'Type a symbol, as in AAPL.US' };
  return { kind: 'ordinary', text: 'Not a symbol (1 to 20 letters, digits and dots): sent as a message' };
}

/** Is this what the bot says to that command? Its error texts name the code, as do its quotes. */
export function answers(command: Command, content: string): boolean {
  return command.kind === 'hello' || content.toUpperCase().includes(command.code);
}
