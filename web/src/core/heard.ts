/**
 * What a screen reader is told of the conversation: each post of someone else as an entry of its own, so that
 * of several at once each is read out, also when two say the same. Few, and only for a while: who walks
 * through the page meets the posts themselves.
 */

import type { Post } from './wire.ts';

export const HEARD_MAX = 10;
export const HEARD_MS = 20_000;
const CHARS_MAX = 300;

export class Heard {
  posts: Post[] = [];
  private latestMs = 0;

  /** Of a longer burst the last ones. */
  add(posts: readonly Post[], nowMs: number): void {
    this.posts = [...this.posts, ...posts].slice(-HEARD_MAX);
    this.latestMs = nowMs;
  }

  /** True: they are gone, as nothing came for so long. */
  expire(nowMs: number): boolean {
    if (this.posts.length === 0 || nowMs - this.latestMs < HEARD_MS) return false;
    this.posts = [];
    return true;
  }
}

export function spoken({ username, content }: Post): string {
  return `${username}: ${[...content].slice(0, CHARS_MAX).join('')}`;
}
