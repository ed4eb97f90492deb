/**
 * Which entries of a room are in the page: a stretch of bounded length that moves with the scroll. It hangs on
 * the id of its first entry, so older posts that come in above it change nothing on the page; without one it
 * hangs on the end and follows what is new.
 */

export const VIEW_MAX = 240;
/** How far it moves at a time. */
export const VIEW_STEP = 60;
/** Hanging on the end it is shorter, so that following a busy room stays cheap. */
const AT_END = VIEW_MAX - VIEW_STEP;

export interface Slice {
  from: number;
  to: number;
}

interface Identified {
  id: string;
}

export function sliceOf(entries: readonly Identified[], top: string | null): Slice {
  const index = top === null ? -1 : entries.findIndex(({ id }) => id === top);
  if (index < 0) return { from: Math.max(0, entries.length - AT_END), to: entries.length };
  return { from: index, to: Math.min(entries.length, index + VIEW_MAX) };
}

/** The first entry after a move by n entries; null: it hangs on the end. */
export function moved(entries: readonly Identified[], top: string | null, n: number): string | null {
  const { from } = sliceOf(entries, top);
  const next = Math.min(Math.max(0, from + n), Math.max(0, entries.length - 1));
  if (next + AT_END >= entries.length && n > 0) return null;
  return entries[next]?.id ?? null;
}
