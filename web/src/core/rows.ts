/** From the order of a room to the lines on the page: days, senders grouped, joins and leaves folded. */

import { dayLabel, dayOf } from './times.ts';
import { nameList } from './text.ts';
import type { Entry, Note, Pending } from './timeline.ts';
import type { Post } from './wire.ts';

/** Posts of one sender within this time stand under one name. */
const GROUP_MS = 5 * 60_000;

export interface Author {
  id: string;
  username: string;
}

export type Row =
  | { kind: 'day'; id: string; label: string; date: string }
  | { kind: 'unread'; id: string }
  | { kind: 'post'; id: string; post: Post; at: Date; leads: boolean; isOwn: boolean }
  | { kind: 'pending'; id: string; pending: Pending; at: Date; leads: boolean; isOwn: true }
  | { kind: 'bot'; id: string; post: Post; at: Date }
  | { kind: 'asked'; id: string; content: string }
  | { kind: 'notes'; id: string; text: string };

/** What a run of joins and leaves comes to, person by person. */
export function noteText(notes: Note[]): string {
  const people = new Map<string, { first: Note['kind']; last: Note['kind'] }>();
  for (const { kind, username } of notes) {
    const known = people.get(username);
    if (known) known.last = kind;
    else people.set(username, { first: kind, last: kind });
  }
  const named = (first: Note['kind'], last: Note['kind']): string[] =>
    [...people].filter(([, p]) => p.first === first && p.last === last).map(([name]) => name);
  const told: [string[], string][] = [
    [named('joined', 'joined'), 'joined'],
    [named('left', 'joined'), 'came back'],
    [named('joined', 'left'), 'looked in'],
    [named('left', 'left'), 'left'],
  ];
  return told
    .filter(([names]) => names.length > 0)
    .map(([names, what]) => `${nameList(names)} ${what}`)
    .join(' · ');
}

/**
 * The lines for a stretch of entries. unreadAfter: the key of the last post the person has seen, when a line
 * is to say so.
 */
export function rowsOf(entries: Entry[], me: Author, now: Date, unreadAfter: string | null): Row[] {
  const rows: Row[] = [];
  let day = '';
  let lead: { author: string; atMs: number } | null = null;
  let isUnreadShown = unreadAfter === null;

  const beginDay = (at: Date): void => {
    if (dayOf(at) === day) return;
    day = dayOf(at);
    rows.push({ kind: 'day', id: `day-${day}`, label: dayLabel(at, now), date: day });
    lead = null;
  };
  const leads = (author: string, at: Date): boolean => {
    const isLead = lead === null || lead.author !== author || at.getTime() - lead.atMs > GROUP_MS;
    lead = { author, atMs: at.getTime() };
    return isLead;
  };

  for (const entry of entries) {
    switch (entry.kind) {
      case 'post': {
        const { post, id } = entry;
        const at = new Date(post.createdAt);
        const isOwn = post.userId === me.id;
        beginDay(at);
        if (!isUnreadShown && post.key > unreadAfter! && !isOwn) {
          rows.push({ kind: 'unread', id: 'unread' });
          isUnreadShown = true;
          lead = null;
        }
        rows.push({ kind: 'post', id, post, at, leads: leads(post.userId, at), isOwn });
        break;
      }
      case 'pending': {
        const { pending, id } = entry;
        const at = new Date(pending.atMs);
        beginDay(at);
        rows.push({ kind: 'pending', id, pending, at, leads: leads(me.id, at), isOwn: true });
        break;
      }
      case 'bot': {
        const at = new Date(entry.post.createdAt);
        beginDay(at);
        rows.push({ kind: 'bot', id: entry.id, post: entry.post, at });
        lead = null;
        break;
      }
      case 'asked':
        rows.push({ kind: 'asked', id: entry.id, content: entry.content });
        lead = null;
        break;
      case 'notes':
        beginDay(new Date(entry.notes[0]!.atMs));
        rows.push({ kind: 'notes', id: entry.id, text: noteText(entry.notes) });
        lead = null;
        break;
    }
  }
  return rows;
}
