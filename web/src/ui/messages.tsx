/**
 * The messages of a room. Only a stretch of them is in the page (see core/view.ts); what moves it is the
 * scroll, and after each move the line one was looking at stays where it was.
 */

import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { OpenRoom } from '../client/room.ts';
import { rowsOf } from '../core/rows.ts';
import type { Row } from '../core/rows.ts';
import { secondsUntil } from '../core/times.ts';
import { plural } from '../core/text.ts';
import type { Pending } from '../core/timeline.ts';
import { VIEW_STEP, moved, sliceOf } from '../core/view.ts';
import type { Me, Post } from '../core/wire.ts';
import { useNowMs } from './hooks.ts';
import { Alert, Check, Clock, Down } from './icons.tsx';
import { Avatar, BotAvatar, MessageText, Time } from './parts.tsx';

/** So near to an edge of the stretch it is moved. */
const EDGE_PX = 500;
/** So near to the end one follows what is new. */
const FOLLOW_PX = 60;

function State({ pending, room }: { pending: Pending; room: OpenRoom }) {
  const nowMs = useNowMs(pending.state === 'failed' && pending.retryAtMs > Date.now());
  const wait = secondsUntil(pending.retryAtMs, nowMs);
  if (pending.state === 'failed')
    return (
      <div class="failure" role="group" aria-label="Not sent">
        <Alert size={16} />
        <span>
          Not sent: {pending.error}
          {wait > 0 && ` (${wait} s)`}
        </span>
        <button type="button" class="link-button" disabled={wait > 0} onClick={() => room.retry(pending.key)}>
          Send again
        </button>
        <button type="button" class="link-button" onClick={() => room.discard(pending.key)}>
          Delete
        </button>
      </div>
    );
  return null;
}

function Mark({ state }: { state: 'sending' | 'stored' }) {
  return (
    <span class={`mark mark-${state}`} title={state === 'stored' ? 'Stored' : 'Sending'}>
      {state === 'stored' ? <Check size={15} /> : <Clock size={14} />}
      <span class="visually-hidden">{state === 'stored' ? 'stored' : 'sending'}</span>
    </span>
  );
}

interface LineProps {
  row: Row;
  me: Me;
  room: OpenRoom;
}

function Line({ row, me, room }: LineProps) {
  switch (row.kind) {
    case 'day':
      return (
        <li class="day" data-row={row.id}>
          <time dateTime={row.date}>{row.label}</time>
        </li>
      );
    case 'unread':
      return (
        <li class="unread" data-row={row.id}>
          <span>New</span>
        </li>
      );
    case 'notes':
      return (
        <li class="notes" data-row={row.id}>
          {row.text}
        </li>
      );
    case 'asked':
      return (
        <li class="message asked" data-row={row.id}>
          <MessageText content={row.content} />
          <span class="only-you">only you see this</span>
        </li>
      );
    case 'bot':
      return (
        <li
          class={`message bot ${row.post.isError ? 'bot-error' : ''}`}
          data-row={row.id}
          data-id={row.post.id}
        >
          <BotAvatar />
          <div class="body">
            <p class="who">
              <b>{row.post.username}</b>
              <span class="tag">Bot</span>
              {row.post.isError && <span class="tag tag-warn">Error</span>}
              <Time at={row.at} />
            </p>
            <MessageText content={row.post.content} />
          </div>
        </li>
      );
    case 'pending':
    case 'post': {
      const name = row.kind === 'post' ? row.post.username : me.username;
      const content = row.kind === 'post' ? row.post.content : row.pending.content;
      const state = row.kind === 'post' ? 'stored' : row.pending.state;
      return (
        <li
          class={`message ${row.leads ? 'leads' : ''} ${row.isOwn ? 'own' : ''} is-${state}`}
          data-row={row.id}
          data-id={row.kind === 'post' ? row.post.id : undefined}
          data-state={state}
        >
          {row.leads ? (
            <Avatar name={name} />
          ) : (
            <span class="gutter">
              <Time at={row.at} />
            </span>
          )}
          <div class="body">
            {row.leads ? (
              <p class="who">
                <b>{name}</b>
                {row.isOwn && <span class="you">you</span>}
                <Time at={row.at} />
              </p>
            ) : (
              <span class="visually-hidden">{name}: </span>
            )}
            <div class="line">
              <MessageText content={content} />
              {row.isOwn && state !== 'failed' && <Mark state={state === 'stored' ? 'stored' : 'sending'} />}
              {row.kind === 'pending' && row.pending.isCommand && (
                <span class="only-you">only you see this</span>
              )}
            </div>
            {row.kind === 'pending' && <State pending={row.pending} room={room} />}
          </div>
        </li>
      );
    }
  }
}

function Skeleton({ lines }: { lines: number }) {
  return (
    <div class="skeleton-messages" aria-hidden="true">
      {Array.from({ length: lines }, () => (
        <div class="skeleton-message">
          <i class="bone bone-avatar" />
          <div>
            <i class="bone bone-name" />
            <i class="bone bone-line" />
          </div>
        </div>
      ))}
    </div>
  );
}

interface MessagesProps {
  room: OpenRoom;
  me: Me;
  name: string;
  /** Rises when the person sends something: then they want to see it. */
  sends: number;
}

export function Messages({ room, me, name, sends }: MessagesProps) {
  const { timeline } = room;
  const scroller = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLOListElement>(null);
  const [top, setTop] = useState<string | null>(null);
  const [isFollowing, setFollowing] = useState(true);
  const follows = useRef(true);
  const place = useRef<{ id: string; bottom: number; scrollTop: number } | null>(null);
  const seenKey = useRef('');
  const drawn = useRef(new Map<string, { post: Post; leads: boolean; line: VNode }>());

  const entries = timeline.entries();
  const slice = sliceOf(entries, top);
  const rows = rowsOf(entries.slice(slice.from, slice.to), me, new Date(), room.unreadAfter);
  /* A stored post does not change, so neither does its line: the same one is not compared again. */
  const drawnBefore = drawn.current;
  drawn.current = new Map();
  const lineOf = (row: Row): VNode => {
    const was = drawnBefore.get(row.id);
    const isSame = row.kind === 'post' && was?.post === row.post && was.leads === row.leads;
    const line = isSame ? was.line : <Line key={row.id} row={row} me={me} room={room} />;
    if (row.kind === 'post') drawn.current.set(row.id, { post: row.post, leads: row.leads, line });
    return line;
  };

  const scrolledTo = scroller.current?.scrollTop ?? 0; // before this drawing changes anything
  const isAtEnd = slice.to === entries.length && timeline.atEnd;

  /* Remembers the first line in sight, and where it ends: its name above it may go when older ones come in. */
  const remember = (): void => {
    place.current = null;
    if (follows.current) return;
    const { scrollTop } = scroller.current!;
    const { top: edge } = scroller.current!.getBoundingClientRect();
    for (const line of list.current!.querySelectorAll<HTMLElement>('.message')) {
      const { bottom } = line.getBoundingClientRect();
      if (bottom <= edge) continue;
      place.current = { id: line.dataset.row!, bottom, scrollTop };
      return;
    }
  };

  const move = (n: number): void => setTop(moved(entries, top, n));

  const follow = (yes: boolean): void => {
    follows.current = yes;
    setFollowing(yes);
  };

  const toEnd = (): void => {
    setTop(null);
    follow(true);
    if (!timeline.atEnd) void room.loadNewest();
  };

  /* Near the oldest that is held: ask for older ones. */
  const loadOlder = (): void => {
    const canLoad = slice.from === 0 && !timeline.atStart && !room.loadingOlder && !room.olderFailed;
    if (canLoad && room.connection.wasLive && scroller.current!.scrollTop < EDGE_PX) void room.loadOlder();
  };

  const onScroll = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = scroller.current!;
    const below = scrollHeight - scrollTop - clientHeight;
    const atEnd = isAtEnd && below < FOLLOW_PX;
    if (atEnd !== follows.current) {
      follow(atEnd);
      if (atEnd) setTop(null);
      else if (top === null) setTop(entries[slice.from]?.id ?? null); // what is new must not push it on
    }
    if (!atEnd && scrollTop < EDGE_PX && slice.from > 0) move(-VIEW_STEP);
    else if (!atEnd && below < EDGE_PX && slice.to < entries.length) move(VIEW_STEP);
    loadOlder();
    remember();
  };

  /* Whatever has changed: one goes on seeing the end, or the line that one was reading. */
  useLayoutEffect(() => {
    const box = scroller.current!;
    const was = place.current;
    const line = was && list.current!.querySelector(`[data-row="${CSS.escape(was.id)}"]`);
    if (follows.current) box.scrollTop = box.scrollHeight;
    else if (line)
      box.scrollTop += line.getBoundingClientRect().bottom - (was.bottom + was.scrollTop - scrolledTo);
    if (follows.current) seenKey.current = timeline.newest?.key ?? '';
    remember();
  });

  /* What has come in may not fill the view, or stand above it unseen. */
  useEffect(() => {
    loadOlder();
    if (!follows.current && slice.from > 0 && scroller.current!.scrollTop < EDGE_PX) move(-VIEW_STEP);
  });

  /* The keyboard of a phone comes up, the window changes, the composer grows: the end stays in sight. */
  useLayoutEffect(() => {
    const box = scroller.current!;
    const watcher = new ResizeObserver(() => {
      if (follows.current) box.scrollTop = box.scrollHeight;
    });
    watcher.observe(box);
    return () => watcher.disconnect();
  }, []);

  useEffect(() => {
    if (sends > 0) toEnd();
  }, [sends]);

  let news = 0;
  if (!isFollowing)
    for (let i = timeline.posts.length - 1; i >= 0 && timeline.posts[i]!.key > seenKey.current; i--) news++;

  const isLoading = !room.connection.wasLive && timeline.posts.length === 0;
  return (
    <div class="messages">
      <div
        ref={scroller}
        class="scroller"
        id="messages"
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={`Messages in ${name}`}
        onScroll={onScroll}
      >
        <div class="filler" />
        {isLoading ? (
          <Skeleton lines={8} />
        ) : slice.from === 0 && timeline.atStart ? (
          <div class="beginning">
            <h2>{name}</h2>
            <p>{entries.length > 0 ? 'This is where it began.' : 'Nobody has said anything yet. Begin!'}</p>
          </div>
        ) : slice.from === 0 && room.olderFailed ? (
          <div class="older-failed">
            Older messages could not be loaded.{' '}
            <button type="button" class="link-button" onClick={() => void room.loadOlder()}>
              Try again
            </button>
          </div>
        ) : (
          <Skeleton lines={3} /> // also above what is not drawn: what is as high at all times moves nothing
        )}
        <ol ref={list}>{rows.map(lineOf)}</ol>
      </div>
      {!isFollowing && (
        <button type="button" class={`to-end ${news > 0 ? 'has-news' : ''}`} id="to-end" onClick={toEnd}>
          <Down size={16} /> {news > 0 ? plural(news, 'new message') : 'To the newest'}
        </button>
      )}
    </div>
  );
}
