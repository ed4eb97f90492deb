/**
 * What one room shows, in order: posts, each once, whichever way they came (live, history, the gap after a
 * reconnect); own posts that are not stored yet; and what is never stored (joins, leaves, the bot).
 *
 * The posts held are always one stretch of the room's order without a hole. It is bounded: the far end is let
 * go and comes back from history.
 */

import { answers, readCommand } from './commands.ts';
import type { Post } from './wire.ts';

export const POSTS_MAX = 5_000;
export const EXTRAS_MAX = 200;

/** So often a post goes out without an ack; then it fails, and its person decides. */
export const SENDS_MAX = 3;

export type SendState = 'sending' | 'stored' | 'asked' | 'failed';

/** An own post on its way. Its key stays the same however often it is sent: the server keeps one post. */
export interface Pending {
  key: string;
  content: string;
  atMs: number;
  /** When it was last given to a socket; 0: not yet. */
  sentMs: number;
  /** To how many sockets it was given without an ack. */
  sends: number;
  state: SendState;
  /** The id the server gave it. */
  id: string | null;
  error: string | null;
  /** Not to be sent again before. */
  retryAtMs: number;
  isCommand: boolean;
}

export interface Note {
  kind: 'joined' | 'left';
  username: string;
  atMs: number;
}

export type Extra =
  | Note
  | { kind: 'bot'; post: Post }
  /** A command of ours that the bot has answered; only we see it. */
  | { kind: 'asked'; content: string };

interface PlacedExtra {
  id: string;
  /** Stands behind the post with this key; '' is before all. */
  after: string;
  extra: Extra;
}

export type Entry =
  | { kind: 'post'; id: string; post: Post }
  /** Joins and leaves with nothing between them; one line on the page, however many they are. */
  | { kind: 'notes'; id: string; notes: Note[] }
  | { kind: 'bot'; id: string; post: Post }
  | { kind: 'asked'; id: string; content: string }
  | { kind: 'pending'; id: string; pending: Pending };

export class Timeline {
  posts: Post[] = [];
  pending: Pending[] = [];
  /** Nothing is older than posts[0]. */
  atStart = false;
  /** Nothing stored is newer than the last of posts, as far as we were told. */
  atEnd = true;
  /** Rises with every change that shows. */
  version = 0;
  private extras: PlacedExtra[] = [];
  private extraCount = 0;
  private ids = new Map<string, Post>();
  /** Post id -> client key, so that a post keeps its place on the page when it becomes a stored one. */
  private ownKeys = new Map<string, string>();
  private cached: { version: number; entries: Entry[] } = { version: -1, entries: [] };

  has(id: string): boolean {
    return this.ids.has(id);
  }

  get newest(): Post | undefined {
    return this.posts[this.posts.length - 1];
  }

  // ---- stored posts

  /** A post as it happens. False: it was known, or the stretch held ends before it. */
  live(post: Post): boolean {
    if (post.isBot) {
      this.settleCommands(post);
      this.addExtra({ kind: 'bot', post });
      return true;
    }
    this.matchOwn(post);
    if (!this.atEnd || !this.insert(post)) return false;
    if (this.posts.length > POSTS_MAX) this.dropOldest(this.posts.length - POSTS_MAX);
    return true;
  }

  /**
   * The newest pages of history, oldest first. touches: they reach down to a post that is held, or to the
   * room's beginning; otherwise there is a hole, and what is held makes way for them.
   */
  fill(posts: Post[], touches: boolean, reachedStart: boolean): void {
    if (!touches && this.posts.length > 0) this.forgetPosts();
    for (const post of posts) {
      this.matchOwn(post);
      this.insert(post);
    }
    if (reachedStart) this.atStart = true;
    this.atEnd = true;
    if (this.posts.length > POSTS_MAX) this.dropOldest(this.posts.length - POSTS_MAX);
    this.version++;
  }

  /** One page of older posts. Past POSTS_MAX the newest are let go. */
  prepend(posts: Post[], reachedStart: boolean): void {
    for (const post of posts) this.insert(post);
    if (reachedStart) this.atStart = true;
    if (this.posts.length > POSTS_MAX) {
      for (const post of this.posts.splice(POSTS_MAX)) this.ids.delete(post.id);
      this.atEnd = false;
    }
    this.version++;
  }

  /** Everything but what is on its way; to be filled from the newest page again. */
  forgetPosts(): void {
    this.posts = [];
    this.ids.clear();
    this.extras = [];
    this.atStart = false;
    this.atEnd = true;
    this.version++;
  }

  private insert(post: Post): boolean {
    if (this.ids.has(post.id)) return false;
    let low = 0;
    let high = this.posts.length;
    if (high > 0 && this.posts[high - 1]!.key < post.key) low = high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.posts[middle]!.key < post.key) low = middle + 1;
      else high = middle;
    }
    this.posts.splice(low, 0, post);
    this.ids.set(post.id, post);
    this.version++;
    return true;
  }

  private dropOldest(n: number): void {
    for (const post of this.posts.splice(0, n)) {
      this.ids.delete(post.id);
      this.ownKeys.delete(post.id);
    }
    const oldest = this.posts[0]?.key ?? '';
    this.extras = this.extras.filter(({ after }) => after >= oldest);
    this.atStart = false;
    this.version++;
  }

  // ---- own posts on their way

  queue(key: string, content: string, nowMs: number): Pending {
    const pending: Pending = {
      key,
      content,
      atMs: nowMs,
      sentMs: 0,
      sends: 0,
      state: 'sending',
      id: null,
      error: null,
      retryAtMs: 0,
      isCommand: readCommand(content) !== null,
    };
    this.pending.push(pending);
    this.version++;
    return pending;
  }

  /** Those that have to go to a new socket, in their order. What is never confirmed is not sent for ever. */
  unsent(): Pending[] {
    this.giveUp(({ sends }) => sends >= SENDS_MAX);
    return this.sending();
  }

  /** Does one wait for its ack since before that time, so that a new socket may help? */
  isUnanswered(beforeMs: number): boolean {
    const isLate = ({ sentMs }: Pending): boolean => sentMs > 0 && sentMs < beforeMs;
    this.giveUp((pending) => pending.sends >= SENDS_MAX && isLate(pending));
    return this.sending().some(isLate);
  }

  private sending(): Pending[] {
    return this.pending.filter(({ state }) => state === 'sending');
  }

  private giveUp(isHopeless: (pending: Pending) => boolean): void {
    for (const pending of this.sending())
      if (isHopeless(pending)) this.fail(pending.key, 'The server has not confirmed it', 0);
  }

  /** A command is asked once it is sent: it gets no ack. */
  sent(pending: Pending, nowMs: number): void {
    pending.sentMs = nowMs;
    pending.sends++;
    if (pending.isCommand) pending.state = 'asked';
    this.version++;
  }

  ack(key: string | null, id: string): void {
    const pending = this.find(key);
    if (!pending) return;
    pending.id = id;
    pending.state = 'stored';
    pending.error = null;
    this.version++;
    if (this.ids.has(id)) this.settle(pending, id);
  }

  /** False: no own post has that key, so the error is about something else. */
  fail(key: string | null, message: string, retryAtMs: number): boolean {
    const pending = this.find(key);
    if (!pending || pending.state === 'stored') return false;
    pending.state = 'failed';
    pending.error = message;
    pending.retryAtMs = retryAtMs;
    this.version++;
    return true;
  }

  retry(key: string): Pending | undefined {
    const pending = this.find(key);
    if (pending?.state !== 'failed') return undefined;
    pending.state = 'sending';
    pending.error = null;
    pending.sentMs = 0;
    pending.sends = 0;
    this.version++;
    return pending;
  }

  discard(key: string): void {
    this.pending = this.pending.filter((pending) => pending.key !== key);
    this.version++;
  }

  /** With the socket goes the bot's answer: it is shown to those who are there and never stored. */
  lostSocket(): void {
    for (const pending of this.pending)
      if (pending.state === 'asked')
        this.fail(pending.key, 'The connection was lost before StockBot answered', 0);
  }

  private find(key: string | null): Pending | undefined {
    return key === null ? undefined : this.pending.find((pending) => pending.key === key);
  }

  private matchOwn(post: Post): void {
    const pending = this.pending.find(({ id }) => id === post.id);
    if (pending) this.settle(pending, post.id);
  }

  private settle(pending: Pending, id: string): void {
    this.ownKeys.set(id, pending.key);
    this.discard(pending.key);
  }

  // ---- what is not stored

  /**
   * The server repeats a command to its sender alone, so that latency can be measured; it is on the page
   * already. True: that was it.
   */
  echo(content: string): boolean {
    const pending = this.pending.find(
      (one) => one.isCommand && one.state === 'asked' && one.content === content,
    );
    if (pending) this.answered(pending);
    return pending !== undefined;
  }

  note(kind: Note['kind'], username: string, atMs: number): void {
    this.addExtra({ kind, username, atMs });
  }

  private settleCommands(post: Post): void {
    const pending = this.pending.find((one) => {
      const command = one.state === 'asked' ? readCommand(one.content) : null;
      return command !== null && answers(command, post.content);
    });
    if (pending) this.answered(pending);
  }

  private answered(pending: Pending): void {
    this.discard(pending.key);
    this.addExtra({ kind: 'asked', content: pending.content }, pending.key);
  }

  private addExtra(extra: Extra, id = `extra-${++this.extraCount}`): void {
    this.extras.push({ id, after: this.newest?.key ?? '', extra });
    if (this.extras.length > EXTRAS_MAX) this.extras.shift();
    this.version++;
  }

  // ---- the whole

  /** Everything in order. The array is shared until the next change. */
  entries(): Entry[] {
    if (this.cached.version === this.version) return this.cached.entries;
    const entries: Entry[] = [];
    let at = 0;
    const takeExtras = (before: string | null): void => {
      for (
        let next = this.extras[at];
        next && (before === null || next.after < before);
        next = this.extras[++at]
      )
        addTo(entries, next);
    };
    for (const post of this.posts) {
      takeExtras(post.key);
      entries.push({ kind: 'post', id: this.ownKeys.get(post.id) ?? post.id, post });
    }
    if (this.atEnd) takeExtras(null);
    for (const pending of this.pending) entries.push({ kind: 'pending', id: pending.key, pending });
    this.cached = { version: this.version, entries };
    return entries;
  }
}

function addTo(entries: Entry[], { id, extra }: PlacedExtra): void {
  const last = entries[entries.length - 1];
  if (extra.kind === 'bot') entries.push({ kind: 'bot', id, post: extra.post });
  else if (extra.kind === 'asked') entries.push({ kind: 'asked', id, content: extra.content });
  else if (last?.kind === 'notes') last.notes.push(extra);
  else entries.push({ kind: 'notes', id, notes: [extra] });
}
