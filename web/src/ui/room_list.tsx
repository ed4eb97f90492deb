/** The rooms of the list: those found, and what stands below them. */

import type { RefObject, VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Chat } from '../client/chat.ts';
import { keptRooms } from '../client/keep.ts';
import { Memo } from '../core/memo.ts';
import { isolated, plural } from '../core/text.ts';
import type { Room } from '../core/wire.ts';
import { Hash, Hourglass, Pencil } from './icons.tsx';
import { Spinner } from './parts.tsx';

interface EntryProps {
  room: Room;
  isOpen: boolean;
  unread: number;
  hasDraft: boolean;
}

function Entry({ room, isOpen, unread, hasDraft }: EntryProps) {
  return (
    <li>
      <a
        class={`room-link ${unread ? 'is-unread' : ''}`}
        href={`#/room/${room.id}`}
        data-room={room.id}
        aria-current={isOpen ? 'page' : undefined}
      >
        <span class="room-sign">{room.isEphemeral ? <Hourglass size={18} /> : <Hash size={18} />}</span>
        <span class="room-name" dir="auto">
          {room.name}
        </span>
        {room.isEphemeral && <span class="visually-hidden">, messages are not kept</span>}
        {hasDraft && (
          <span class="room-draft" title="Not sent yet">
            <Pencil size={15} />
            <span class="visually-hidden">, has a draft</span>
          </span>
        )}
        {unread > 0 && (
          <span class="badge">
            {unread > 99 ? '99+' : unread}
            <span class="visually-hidden"> unread</span>
          </span>
        )}
        {room.userCount > 0 && (
          <span class="room-count" title={`${plural(room.userCount, 'connection')} now`}>
            <span class="dot" />
            {room.userCount.toLocaleString()}
            <span class="visually-hidden"> connected</span>
          </span>
        )}
      </a>
    </li>
  );
}

function Skeleton() {
  return (
    <div class="skeleton-rooms" aria-hidden="true">
      {Array.from({ length: 7 }, () => (
        <div class="skeleton-room">
          <i class="bone bone-sign" />
          <i class="bone bone-line" />
        </div>
      ))}
    </div>
  );
}

/** The rows of the rooms; a thousand that have not changed cost nothing to speak of. */
function useRows(chat: Chat, rooms: Room[]): VNode[] {
  const drawn = useRef(new Memo<VNode>());
  const row = drawn.current.round();
  const drafts = keptRooms(chat.me.id);
  return rooms.map((room) => {
    const { id, name, isEphemeral, userCount } = room;
    const isOpen = chat.room?.id === id;
    const unread = chat.openRoom(id)?.unread ?? 0;
    const hasDraft = !isOpen && drafts.has(id);
    return row(id, [name, isEphemeral, userCount, isOpen, unread, hasDraft], () => (
      <Entry key={id} room={room} isOpen={isOpen} unread={unread} hasDraft={hasDraft} />
    ));
  });
}

/** Calls when the element comes near to sight. */
function useInSight(element: RefObject<HTMLElement | null>, act: () => void, changes: unknown[]): void {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    const watcher = new IntersectionObserver(
      (seen) => {
        if (seen.some(({ isIntersecting }) => isIntersecting)) latest.current();
      },
      { rootMargin: '200px' },
    );
    if (element.current) watcher.observe(element.current);
    return () => watcher.disconnect();
  }, changes);
}

/** Nothing to show: why, and what one can do. */
function Nothing({ text, button, onClick }: { text: string; button: string; onClick(): void }) {
  return (
    <div class="list-empty">
      <p>{text}</p>
      <button type="button" class="button" onClick={onClick}>
        {button}
      </button>
    </div>
  );
}

function More({ chat, wanted }: { chat: Chat; wanted: string }) {
  const soFar = plural(chat.list.rooms.length, 'room');
  return (
    <button type="button" class="list-more" disabled={chat.isListing} onClick={() => void chat.loadMore()}>
      {chat.isListing ? (
        <>
          <Spinner /> {wanted ? `Searching, ${soFar} so far` : 'Loading'}
        </>
      ) : wanted ? (
        'Search on'
      ) : (
        'More rooms'
      )}
    </button>
  );
}

interface RoomListProps {
  chat: Chat;
  /** What is searched for; '' is nothing. */
  wanted: string;
  found: Room[];
  list: RefObject<HTMLUListElement | null>;
  onArrow(event: KeyboardEvent): void;
  onMake(): void;
}

export function RoomList({ chat, wanted, found, list, onArrow, onMake }: RoomListProps) {
  const end = useRef<HTMLDivElement>(null);
  const rows = useRows(chat, found);
  const { isComplete, rooms } = chat.list;
  const isFirst = chat.list.cursor === undefined;

  /* The end of the list comes into sight: the next page. */
  useInSight(end, () => !wanted && !chat.listError && void chat.loadMore(), [chat, rooms.length]);

  return (
    <div class="room-list">
      {isFirst && !chat.listError && <Skeleton />}
      <ul ref={list} onKeyDown={onArrow} id="rooms">
        {rows}
      </ul>
      {wanted && found.length === 0 && isComplete && (
        <Nothing text={`No room is called “${isolated(wanted)}”.`} button="Create it" onClick={onMake} />
      )}
      {!wanted && isComplete && rooms.length === 0 && (
        <Nothing text="No rooms yet." button="Create the first one" onClick={onMake} />
      )}
      {chat.listError && (
        <div role="alert">
          <Nothing
            text={chat.listError}
            button="Try again"
            onClick={() => void (isComplete ? chat.refresh() : chat.loadMore())}
          />
        </div>
      )}
      {!isComplete && !isFirst && !chat.listError && <More chat={chat} wanted={wanted} />}
      <div ref={end} class="list-end" />
      <p class="visually-hidden" role="status">
        {wanted && !chat.isListing ? plural(found.length, 'room') + ' found' : ''}
      </p>
    </div>
  );
}
