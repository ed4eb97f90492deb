/**
 * The messages of a room. Only a stretch of them is in the page (see core/view.ts); what moves it is the
 * scroll, and after each move the line one was looking at stays where it was.
 */

import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { OpenRoom } from '../client/room.ts';
import { rowsOf } from '../core/rows.ts';
import type { Row } from '../core/rows.ts';
import { Memo } from '../core/memo.ts';
import { isolated, plural } from '../core/text.ts';
import { VIEW_STEP, moved, sliceOf } from '../core/view.ts';
import type { Me } from '../core/wire.ts';
import { Down } from './icons.tsx';
import { Line } from './line.tsx';

/** So near to an edge of the stretch it is moved. */
const EDGE_PX = 500;
/** So near to the end one follows what is new. */
const FOLLOW_PX = 60;

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

interface AboveProps {
  room: OpenRoom;
  name: string;
  /** The first line below is the first one that is held. */
  isFirst: boolean;
  isEmpty: boolean;
}

/** What stands above the first line. */
function Above({ room, name, isFirst, isEmpty }: AboveProps) {
  if (isFirst && room.timeline.atStart)
    return (
      <div class="beginning">
        <h2 dir="auto">{name}</h2>
        <p>{isEmpty ? 'Nobody has said anything yet. Begin!' : 'This is where it began.'}</p>
      </div>
    );
  if (isFirst && room.olderFailed)
    return (
      <div class="older-failed">
        Older messages could not be loaded.{' '}
        <button type="button" class="link-button" onClick={() => void room.loadOlder()}>
          Try again
        </button>
      </div>
    );
  return <Skeleton lines={3} />; // also above what is not drawn: what is as high at all times moves nothing
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
  const drawn = useRef(new Memo<VNode>());

  const entries = timeline.entries();
  const slice = sliceOf(entries, top);
  const rows = rowsOf(entries.slice(slice.from, slice.to), me, new Date(), room.unreadAfter);
  /* A stored post does not change, so neither does its line: the same one is not compared again. */
  const made = drawn.current.round();
  const lineOf = (row: Row): VNode =>
    made(row.id, row.kind === 'post' ? [row.post, row.leads] : [row], () => (
      <Line key={row.id} row={row} me={me} room={room} />
    ));

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
        aria-label={`Messages in ${isolated(name)}`}
        onScroll={onScroll}
      >
        <div class="filler" />
        {isLoading ? (
          <Skeleton lines={8} />
        ) : (
          <Above room={room} name={name} isFirst={slice.from === 0} isEmpty={entries.length === 0} />
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
