/**
 * What this tab remembers over a reload: drafts and posts that are not stored yet, per person and room. A
 * storage that is full or forbidden is no reason to fail; then it does not remember.
 */

const PREFIX = 'confab';

export interface Kept {
  draft: string;
  /** error: it was refused, and waits for the person. */
  unsent: { key: string; content: string; atMs: number; error: string | null }[];
}

const nameOf = (user: string, room: string): string => `${PREFIX}.${user}.${room}`;

export function recall(user: string, room: string): Kept {
  try {
    const kept = JSON.parse(sessionStorage.getItem(nameOf(user, room)) ?? '{}') as Partial<Kept>;
    return {
      draft: typeof kept.draft === 'string' ? kept.draft : '',
      unsent: (Array.isArray(kept.unsent) ? kept.unsent : []).filter(
        (one) =>
          typeof one?.key === 'string' && typeof one.content === 'string' && typeof one.atMs === 'number',
      ),
    };
  } catch {
    return { draft: '', unsent: [] };
  }
}

export function keep(user: string, room: string, kept: Kept): void {
  try {
    if (kept.draft || kept.unsent.length > 0)
      sessionStorage.setItem(nameOf(user, room), JSON.stringify(kept));
    else sessionStorage.removeItem(nameOf(user, room));
  } catch {
    /* see above */
  }
}

/** The rooms in which their person has not finished something. */
export function keptRooms(user: string): Set<string> {
  const prefix = nameOf(user, '');
  try {
    const names = Object.keys(sessionStorage).filter((name) => name.startsWith(prefix));
    return new Set(names.map((name) => name.slice(prefix.length)));
  } catch {
    return new Set();
  }
}

/** Nothing of one person stays for the next one at this screen. */
export function forgetAll(): void {
  forget(() => true);
}

export function forgetOthers(user: string): void {
  forget((name) => !name.startsWith(nameOf(user, '')));
}

function forget(isMeant: (name: string) => boolean): void {
  try {
    for (const name of Object.keys(sessionStorage))
      if (name.startsWith(`${PREFIX}.`) && isMeant(name)) sessionStorage.removeItem(name);
  } catch {
    /* see above */
  }
}
