/**
 * One open room: runs the connection's state machine against a real socket and REST, and keeps timeline and
 * presence up to date with what comes.
 */

import { Refusal, api, patiently } from './api.ts';
import { Watched } from './watched.ts';
import { keep, recall } from './keep.ts';
import { idle, step } from '../core/connection.ts';
import type { Connection, Effect, Happened } from '../core/connection.ts';
import { FIRST_PAGE, GAP_PAGE, noFill, takePage } from '../core/fill.ts';
import { Heard } from '../core/heard.ts';
import { Presence } from '../core/presence.ts';
import { Timeline } from '../core/timeline.ts';
import type { Pending } from '../core/timeline.ts';
import { readFrame } from '../core/wire.ts';
import type { Frame, Me, Post } from '../core/wire.ts';
import { readCommand } from '../core/commands.ts';

/** A socket on which a post stays unanswered so long is taken for dead; the server answers within 5 s. */
const ACK_LIMIT_MS = 12_000;
const TICK_MS = 2_000;
/** A tick that comes so much too late: the machine slept. Pages in the background tick once a minute. */
const SLEPT_MS = 90_000;

export interface Trouble {
  message: string;
  /** Until then sending is of no use; 0: no such time. */
  untilMs: number;
}

export interface RoomEvents {
  counts(counts: Map<string, number>): void;
  /** Fails unless we are still who we were; what is not sent waits for it. */
  confirm(): Promise<void>;
  signedOut(): void;
  /** What the list of rooms shows of it has changed: unread posts, unfinished ones. */
  noticed(): void;
}

function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}

export class OpenRoom extends Watched {
  readonly timeline = new Timeline();
  readonly presence = new Presence();
  connection: Connection = idle;
  /** What the server said last that belongs to no post. */
  trouble: Trouble | null = null;
  draft: string;
  /** Posts of others that came while nobody looked. */
  unread = 0;
  /** The key of the last post before them; stays when they have been seen, for the line above them. */
  unreadAfter: string | null = null;
  /** Posts of others that came while somebody looked, to be read out. */
  readonly heard = new Heard();
  loadingOlder = false;
  olderFailed = false;
  private socket: WebSocket | null = null;
  /** The socket that is known to be ours. */
  private confirmed: WebSocket | null = null;
  private isWatched = false;
  private isUnfinished: boolean;
  private early: Post[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private ticker: ReturnType<typeof setInterval>;
  private tickedMs = Date.now();

  constructor(
    readonly id: string,
    private readonly me: Me,
    private readonly events: RoomEvents,
  ) {
    super();
    const kept = recall(me.id, id);
    this.draft = kept.draft;
    this.isUnfinished = kept.draft !== '' || kept.unsent.length > 0;
    for (const { key, content, atMs, error } of kept.unsent) {
      this.timeline.queue(key, content, atMs);
      if (error) this.timeline.fail(key, error, 0);
    }
    this.ticker = setInterval(() => this.tick(), TICK_MS);
    this.on({ type: 'start' });
  }

  leave(): void {
    clearInterval(this.ticker);
    this.on({ type: 'left' });
  }

  /** There is reason to believe that it can be reached again, or that the socket is dead. */
  wake(): void {
    this.on({ type: 'woken' });
  }

  // ---- what the person does

  /** Is somebody looking at it? */
  setWatched(isWatched: boolean): void {
    if (isWatched && !this.isWatched && this.unread === 0) this.unreadAfter = null;
    this.isWatched = isWatched;
    if (isWatched) this.unread = 0;
    this.tick();
    this.changed();
    this.events.noticed();
  }

  setDraft(draft: string): void {
    this.draft = draft;
    this.remember();
    this.changed();
  }

  send(content: string): void {
    const pending = this.timeline.queue(newKey(), content, Date.now());
    this.unreadAfter = null;
    this.transmit(pending);
    this.setDraft('');
  }

  retry(key: string): void {
    const pending = this.timeline.retry(key);
    if (pending) this.transmit(pending);
    this.remember();
    this.changed();
  }

  discard(key: string): void {
    this.timeline.discard(key);
    this.remember();
    this.changed();
  }

  dismissTrouble(): void {
    if (this.trouble === null) return;
    this.trouble = null;
    this.changed();
  }

  /** The page before the oldest post. */
  async loadOlder(): Promise<void> {
    const oldest = this.timeline.posts[0];
    if (this.loadingOlder || this.timeline.atStart || !oldest) return;
    this.loadingOlder = true;
    this.olderFailed = false;
    this.changed();
    const isHere = (): boolean =>
      this.connection.phase !== 'ended' && this.timeline.posts[0]?.id === oldest.id;
    try {
      const page = await patiently(() => api.messages(this.id, FIRST_PAGE, oldest.id), isHere);
      if (isHere()) this.timeline.prepend(page, page.length < FIRST_PAGE);
    } catch (error) {
      const status = error instanceof Refusal ? error.status : 0;
      if (status === 401) this.events.signedOut();
      if (status === 400) this.timeline.prepend([], true); // a room that stores nothing has let it go
      this.olderFailed = status !== 400;
    }
    this.loadingOlder = false;
    this.changed();
  }

  /** Back to the newest posts after scrolling so far up that they were let go. */
  async loadNewest(): Promise<void> {
    if (this.timeline.atEnd || this.connection.phase !== 'live') return;
    this.timeline.forgetPosts();
    this.changed();
    try {
      const page = await api.messages(this.id, FIRST_PAGE, null);
      this.timeline.fill(page, true, page.length < FIRST_PAGE);
    } catch {
      this.wake(); // connecting anew fills it
    }
    this.changed();
  }

  // ---- the connection

  private on(happened: Happened): void {
    const [next, effects] = step(this.connection, happened, Date.now(), Math.random());
    const was = this.connection;
    this.connection = next;
    if (next.phase !== was.phase) {
      clearTimeout(this.timer);
      if (was.phase === 'live') this.timeline.lostSocket();
      if (next.phase === 'ended' && next.ending === 'signed-out') this.events.signedOut();
    }
    for (const effect of effects) this.run(effect);
    this.changed();
  }

  private run(effect: Effect): void {
    switch (effect.do) {
      case 'join':
        this.attempt(() => api.join(this.id), { type: 'joined' });
        break;
      case 'connect':
        this.connect();
        break;
      case 'fill':
        this.attempt(() => Promise.all([this.confirm(), this.fill()]), { type: 'filled' });
        break;
      case 'drop':
        this.socket?.close(1000);
        this.socket = null;
        break;
      case 'wait':
        this.timer = setTimeout(() => this.on({ type: 'due' }), effect.ms);
        break;
    }
  }

  /** Its outcome counts only while nothing else has happened. */
  private attempt(work: () => Promise<unknown>, done: Happened): void {
    const { phase } = this.connection;
    const { socket } = this;
    const isCurrent = (): boolean => this.connection.phase === phase && this.socket === socket;
    work().then(
      () => isCurrent() && this.on(done),
      (error: unknown) => {
        const refusal = error instanceof Refusal ? error : new Refusal(0, '', null);
        if (isCurrent()) this.on({ type: 'refused', status: refusal.status, waitMs: refusal.waitMs });
      },
    );
  }

  private connect(): void {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(
      `${scheme}://${location.host}/ws/chat/${encodeURIComponent(this.id)}?roster=1`,
    );
    this.socket = socket;
    this.early = [];
    const ifCurrent =
      <E>(act: (event: E) => void) =>
      (event: E): void => {
        if (this.socket === socket) act(event);
      };
    socket.onopen = ifCurrent(() => {
      this.presence.reset();
      this.on({ type: 'opened' });
    });
    socket.onmessage = ifCurrent(({ data }: MessageEvent) => {
      const frame = typeof data === 'string' ? readFrame(data) : null;
      if (frame) this.take(frame);
    });
    socket.onclose = ifCurrent(({ code, reason }: CloseEvent) => {
      this.socket = null;
      this.on({ type: 'closed', code, reason });
    });
  }

  private take(frame: Frame): void {
    switch (frame.type) {
      case 'room_roster':
        this.presence.listed(frame.members, frame.more);
        break;
      case 'user_joined':
        this.presence.joined(frame.username);
        if (this.connection.phase === 'entering') this.on({ type: 'welcomed' });
        else if (frame.username !== this.me.username)
          this.timeline.note('joined', frame.username, Date.now());
        break;
      case 'user_left':
        this.presence.left(frame.username);
        if (frame.username !== this.me.username) this.timeline.note('left', frame.username, Date.now());
        break;
      case 'chat_message':
        if (this.connection.phase === 'live') this.takePost(frame.post);
        else this.early.push(frame.post);
        break;
      case 'message_ack':
        this.timeline.ack(frame.clientKey, frame.id);
        this.remember();
        break;
      case 'user_count_update': {
        const count = frame.counts.get(this.id);
        if (count !== undefined) this.presence.counted(count); // we are in it: without one it is not told of
        this.events.counts(frame.counts);
        break;
      }
      case 'error':
        this.takeError(frame);
        break;
    }
    this.changed();
  }

  private takePost(post: Post): void {
    if (!post.isBot) this.presence.wrote(post.username);
    if (!post.isBot && readCommand(post.content)) {
      this.timeline.echo(post.content); // commands are never stored, so it is nothing else
      return;
    }
    const newestKey = this.timeline.newest?.key ?? '';
    if (this.timeline.live(post)) this.count([post], newestKey);
    this.remember();
  }

  /** Posts that are new to the page; newestKey: of what was there before. */
  private count(posts: Post[], newestKey: string): void {
    const others = posts.filter(({ userId, key }) => userId !== this.me.id && key > newestKey);
    if (others.length === 0) return;
    if (this.isWatched) {
      this.heard.add(others, Date.now());
      return;
    }
    if (this.unread === 0) this.unreadAfter = newestKey;
    this.unread += others.length;
    this.events.noticed();
  }

  private takeError(frame: Extract<Frame, { type: 'error' }>): void {
    const untilMs = frame.waitMs === null ? 0 : Date.now() + frame.waitMs;
    const isOurs = this.timeline.fail(frame.clientKey, frame.message, untilMs);
    if (!isOurs || untilMs > 0) this.trouble = { message: frame.message, untilMs };
    this.remember();
  }

  /**
   * A socket speaks for whoever was logged in when it was opened, which need not be the person of this page.
   * Only when that is sure it gets what was not sent.
   */
  private async confirm(): Promise<void> {
    const { socket } = this;
    await this.events.confirm();
    if (socket === null || this.socket !== socket) return;
    this.confirmed = socket;
    this.timeline.unsent().forEach((pending) => this.transmit(pending));
  }

  /** History from the newest down to what is held; then the live posts that came meanwhile. */
  private async fill(): Promise<void> {
    const { timeline, socket } = this;
    const newestKey = timeline.newest?.key ?? null;
    const limit = newestKey === null ? FIRST_PAGE : GAP_PAGE;
    let filled = noFill;
    /* When the newest posts were let go, what is held ends before them: there is no gap to close. */
    for (let before: string | null = null; timeline.atEnd;) {
      const page = await this.pageOrNothing(limit, before);
      if (this.socket !== socket) return;
      const [next, verdict] = takePage(filled, page, limit, newestKey);
      filled = next;
      if (!verdict.more) {
        timeline.fill(filled.posts, verdict.touches, verdict.reachedStart);
        if (newestKey !== null) this.count(filled.posts, newestKey);
        break;
      }
      before = verdict.before;
    }
    const { early } = this;
    this.early = [];
    for (const post of early) this.takePost(post);
    this.remember();
  }

  /** 400: a room that stores nothing has let the post `before` go; what it still has is at hand. */
  private async pageOrNothing(limit: number, before: string | null): Promise<Post[]> {
    try {
      return await api.messages(this.id, limit, before);
    } catch (error) {
      if (before !== null && error instanceof Refusal && error.status === 400) return [];
      throw error;
    }
  }

  private transmit(pending: Pending): void {
    if (this.socket === null || this.socket !== this.confirmed) return;
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(
      JSON.stringify({ type: 'chat_message', content: pending.content, client_key: pending.key }),
    );
    this.timeline.sent(pending, Date.now());
    this.changed();
  }

  private tick(): void {
    const nowMs = Date.now();
    const { version } = this.timeline;
    const slept = nowMs - this.tickedMs > SLEPT_MS;
    this.tickedMs = nowMs;
    const isUnanswered = this.connection.phase === 'live' && this.timeline.isUnanswered(nowMs - ACK_LIMIT_MS);
    if (slept || isUnanswered) this.wake();
    if (this.heard.expire(nowMs)) this.changed();
    if (this.timeline.version !== version) {
      this.remember();
      this.changed();
    }
  }

  private remember(): void {
    if (this.connection.phase === 'ended') return; // what there was may have been forgotten on purpose
    const unsent = this.timeline.pending.filter(({ state }) => state === 'sending' || state === 'failed');
    const wasUnfinished = this.isUnfinished;
    this.isUnfinished = this.draft !== '' || unsent.length > 0;
    keep(this.me.id, this.id, {
      draft: this.draft,
      unsent: unsent.map(({ key, content, atMs, error }) => ({ key, content, atMs, error })),
    });
    if (this.isUnfinished !== wasUnfinished) this.events.noticed();
  }
}
