/** What may be sent, how long it is, and how names and texts are shown. */

export const POST_CHARS_MAX = 1000;
export const ROOM_NAME_CHARS_MAX = 100;

/** Characters as the server counts them: code points, not UTF-16 units. */
export function codePoints(text: string): number {
  let n = 0;
  for (const _ of text) n++;
  return n;
}

/**
 * What is sent for what was typed: no blank ends, and nothing that the server refuses in any message, which
 * people paste without seeing it: control characters and halves of surrogate pairs.
 */
export function sendable(typed: string): string {
  return typed
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '')
    .replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, (unit) =>
      unit.length === 2 ? unit : '\ufffd',
    )
    .replace(/^(?:[ \t]*\r?\n)+/, '')
    .trimEnd();
}

const BIDI_CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g;
/* Letters from right to left stand in these blocks; U+061C and U+200F mark such text. */
const TURNS =
  /[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff]|[\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * A name within a sentence of ours, where there is no element around it: in titles, labels and placeholders.
 * Its direction stays its own (FSI, PDI), and nothing in it can end that.
 */
export function isolated(name: string): string {
  return TURNS.test(name) ? `\u2068${name.replace(BIDI_CONTROLS, '')}\u2069` : name;
}

/** The letter of an avatar. */
export function initial(name: string): string {
  const first = [...name.trim()].find((c) => c !== '_') ?? '?';
  return first.toUpperCase();
}

export const HUES = 12;

/** A colour for a name: the same in every room, on every day, on every device (FNV-1a). */
export function hueOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % HUES;
}

export interface Piece {
  text: string;
  /** Set for a link: an absolute http or https address and nothing else. */
  href?: string;
}

/** Splits a message at its links. Punctuation behind a link belongs to the sentence. */
export function pieces(content: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const match of content.matchAll(/\bhttps?:\/\/[^\s<>"'`]+/gi)) {
    let link = match[0].replace(/[.,;:!?…]+$/, '');
    if (link.endsWith(')') && !link.includes('(')) link = link.slice(0, -1);
    let href: string;
    try {
      href = new URL(link).href;
    } catch {
      continue;
    }
    if (match.index > at) found.push({ text: content.slice(at, match.index) });
    found.push({ text: link, href });
    at = match.index + link.length;
  }
  if (at < content.length) found.push({ text: content.slice(at) });
  return found;
}

/** "ann", "ann and bob", "ann, bob and 3 others" */
export function nameList(names: string[], shown = 3): string {
  if (names.length <= 1) return names.join('');
  if (names.length <= shown) return `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
  const rest = names.length - (shown - 1);
  return `${names.slice(0, shown - 1).join(', ')} and ${rest} others`;
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString()} ${n === 1 ? one : many}`;
}
