/**
 * Closing the gap: pages of history, newest first, until one reaches a post that is held. A gap of more pages
 * than FILL_PAGES_MAX is not filled; the newest pages replace what is held, and the rest comes by scrolling.
 */

import type { Post } from './wire.ts';

export const FIRST_PAGE = 50;
export const GAP_PAGE = 100;
export const FILL_PAGES_MAX = 20;

export interface Fill {
  /** Oldest first. */
  posts: Post[];
  pages: number;
}

export type FillVerdict =
  { more: true; before: string } | { more: false; touches: boolean; reachedStart: boolean };

export const noFill: Fill = { posts: [], pages: 0 };

/**
 * Takes one page (oldest first, asked for with `limit`). newestKey: of what is held, null if nothing is:
 * then one page is enough.
 */
export function takePage(
  fill: Fill,
  page: Post[],
  limit: number,
  newestKey: string | null,
): [Fill, FillVerdict] {
  const next = { posts: [...page, ...fill.posts], pages: fill.pages + 1 };
  const oldest = page[0];
  if (!oldest || page.length < limit) return [next, { more: false, touches: true, reachedStart: true }];
  if (newestKey === null) return [next, { more: false, touches: true, reachedStart: false }];
  if (oldest.key <= newestKey) return [next, { more: false, touches: true, reachedStart: false }];
  if (next.pages >= FILL_PAGES_MAX) return [next, { more: false, touches: false, reachedStart: false }];
  return [next, { more: true, before: oldest.id }];
}
