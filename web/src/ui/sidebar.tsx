/** The rooms: search, list by pages, a new one; below, who one is. */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Chat } from '../client/chat.ts';
import { isKept } from '../client/keep.ts';
import { plural } from '../core/text.ts';
import type { Room } from '../core/wire.ts';
import { Avatar, Spinner } from './parts.tsx';
import { Brand, Close, Hash, Hourglass, Leave, Pencil, Plus, Search } from './icons.tsx';
import { NewRoom } from './new_room.tsx';
import { ThemeButton } from './theme_button.tsx';

/** Enough to choose from; then searching stops until more is asked for. */
const SEARCH_ENOUGH = 30;

const addressOf = (room: Room): string => `#/room/${room.id}`;

function Entry({ room, chat }: { room: Room; chat: Chat }) {
  const isOpen = chat.room?.id === room.id;
  const unread = chat.openRoom(room.id)?.unread ?? 0;
  const hasDraft = !isOpen && isKept(chat.me.id, room.id);
  return (
    <li>
      <a
        class={`room-link ${unread ? 'is-unread' : ''}`}
        href={addressOf(room)}
        data-room={room.id}
        aria-current={isOpen ? 'page' : undefined}
      >
        <span class="room-sign">{room.isEphemeral ? <Hourglass size={18} /> : <Hash size={18} />}</span>
        <span class="room-name">{room.name}</span>
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

export function Sidebar({ chat }: { chat: Chat }) {
  const [query, setQuery] = useState('');
  const [isMaking, setMaking] = useState(false);
  const search = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const end = useRef<HTMLDivElement>(null);
  const latestQuery = useRef('');
  latestQuery.current = query;
  const wanted = query.trim();
  const found = chat.list.search(query);
  const isFirst = chat.list.cursor === undefined;

  /* What is not loaded yet may match as well: page on until there is enough. */
  useEffect(() => {
    if (!wanted) return;
    void chat.seek(
      () => chat.list.search(wanted).length >= SEARCH_ENOUGH,
      () => latestQuery.current.trim() === wanted,
    );
  }, [wanted, chat]);

  /* The end of the list comes into sight: the next page. */
  useEffect(() => {
    const watcher = new IntersectionObserver(
      (seen) => {
        if (
          seen.some(({ isIntersecting }) => isIntersecting) &&
          !latestQuery.current.trim() &&
          !chat.listError
        )
          void chat.loadMore();
      },
      { rootMargin: '200px' },
    );
    if (end.current) watcher.observe(end.current);
    return () => watcher.disconnect();
  }, [chat, chat.list.rooms.length]);

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        search.current?.focus();
        search.current?.select();
      }
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);

  const links = (): HTMLAnchorElement[] => [...(list.current?.querySelectorAll('a') ?? [])];
  /* Arrows walk from the search through the list and back. */
  const onArrow = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const all = links();
    const at = all.indexOf(document.activeElement as HTMLAnchorElement) + step;
    if (at < 0) search.current?.focus();
    else all[at]?.focus();
  };

  return (
    <nav class="sidebar" aria-label="Rooms">
      <header class="sidebar-top">
        <a class="brand" href="#/" aria-label="confab, all rooms">
          <Brand size={26} /> confab
        </a>
        <button
          type="button"
          class="icon-button"
          id="new-room"
          aria-label="New room"
          title="New room"
          onClick={() => setMaking(true)}
        >
          <Plus />
        </button>
      </header>
      <div class="search" onKeyDown={onArrow}>
        <Search size={18} />
        <input
          ref={search}
          id="search"
          type="search"
          placeholder="Find a room"
          aria-label="Find a room"
          autocomplete="off"
          value={query}
          onInput={({ currentTarget }) => setQuery(currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape' && query) {
              event.preventDefault();
              setQuery('');
            }
            if (event.key === 'Enter') links()[0]?.click();
          }}
        />
        {query ? (
          <button
            type="button"
            class="search-clear"
            aria-label="Clear the search"
            onClick={() => setQuery('')}
          >
            <Close size={16} />
          </button>
        ) : (
          <kbd aria-hidden="true">Ctrl K</kbd>
        )}
      </div>
      <div class="room-list">
        {isFirst && !chat.listError && <Skeleton />}
        <ul ref={list} onKeyDown={onArrow} id="rooms">
          {found.map((room) => (
            <Entry key={room.id} room={room} chat={chat} />
          ))}
        </ul>
        {wanted && found.length === 0 && chat.list.isComplete && (
          <div class="list-empty">
            <p>No room is called “{wanted}”.</p>
            <button type="button" class="button" onClick={() => setMaking(true)}>
              Create it
            </button>
          </div>
        )}
        {!wanted && chat.list.isComplete && chat.list.rooms.length === 0 && (
          <div class="list-empty">
            <p>No rooms yet.</p>
            <button type="button" class="button" onClick={() => setMaking(true)}>
              Create the first one
            </button>
          </div>
        )}
        {chat.listError && (
          <div class="list-empty" role="alert">
            <p>{chat.listError}</p>
            <button
              type="button"
              class="button"
              onClick={() => void (chat.list.isComplete ? chat.refresh() : chat.loadMore())}
            >
              Try again
            </button>
          </div>
        )}
        {!chat.list.isComplete && !isFirst && !chat.listError && (
          <button
            type="button"
            class="list-more"
            disabled={chat.isListing}
            onClick={() => void chat.loadMore()}
          >
            {chat.isListing ? (
              <>
                <Spinner />{' '}
                {wanted ? `Searching, ${plural(chat.list.rooms.length, 'room')} so far` : 'Loading'}
              </>
            ) : wanted ? (
              'Search on'
            ) : (
              'More rooms'
            )}
          </button>
        )}
        <div ref={end} class="list-end" />
        <p class="visually-hidden" role="status">
          {wanted && !chat.isListing ? plural(found.length, 'room') + ' found' : ''}
        </p>
      </div>
      <footer class="whoami">
        <Avatar name={chat.me.username} size="small" />
        <span class="whoami-name" id="me">
          {chat.me.username}
        </span>
        <ThemeButton />
        <button
          type="button"
          class="icon-button"
          id="logout"
          aria-label="Log out"
          title="Log out"
          onClick={() => chat.logout()}
        >
          <Leave />
        </button>
      </footer>
      {isMaking && (
        <NewRoom chat={chat} name={found.length === 0 ? wanted : ''} onDone={() => setMaking(false)} />
      )}
    </nav>
  );
}
