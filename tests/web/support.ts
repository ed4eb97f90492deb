/** Posts and rooms as tests need them. */

import { timeKey } from '../../web/src/core/wire.ts';
import type { Post, Room } from '../../web/src/core/wire.ts';

/** The n-th post of a room, a second after the one before. */
export function post(n: number, more: Partial<Post> = {}): Post {
  const createdAt = new Date(Date.UTC(2026, 0, 5, 10, 0, n)).toISOString().replace('.000Z', 'Z');
  return {
    id: `p${n}`,
    key: timeKey(more.createdAt ?? createdAt)!,
    userId: 'ann-id',
    username: 'ann',
    content: `post ${n}`,
    createdAt,
    isBot: false,
    isError: false,
    ...more,
  };
}

export function posts(from: number, to: number): Post[] {
  return Array.from({ length: to - from + 1 }, (_, i) => post(from + i));
}

export function room(n: number, more: Partial<Room> = {}): Room {
  return {
    id: `r${String(n).padStart(4, '0')}`,
    name: `room ${n}`,
    createdAt: '2026-01-05T10:00:00Z',
    createdBy: 'ann-id',
    isEphemeral: false,
    userCount: 0,
    ...more,
  };
}
