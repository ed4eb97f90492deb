/** Left of the room: a search through the list of rooms, a new one; below, who one is. */

import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Chat } from '../client/chat.ts';
import { Avatar } from './parts.tsx';
import { Brand, Close, Leave, Plus, Search as SearchIcon } from './icons.tsx';
import { NewRoom } from './new_room.tsx';
import { RoomList } from './room_list.tsx';
import { ThemeButton } from './theme_button.tsx';

/** Enough to choose from; then searching stops until more is asked for. */
const SEARCH_ENOUGH = 30;

interface SearchProps {
  query: string;
  field: RefObject<HTMLInputElement | null>;
  onQuery(query: string): void;
  onArrow(event: KeyboardEvent): void;
  onEnter(): void;
}

function Search({ query, field, onQuery, onArrow, onEnter }: SearchProps) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        field.current?.focus();
        field.current?.select();
      }
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  return (
    <div class="search" onKeyDown={onArrow}>
      <SearchIcon size={18} />
      <input
        ref={field}
        id="search"
        type="search"
        dir="auto"
        placeholder="Find a room"
        aria-label="Find a room"
        autocomplete="off"
        value={query}
        onInput={({ currentTarget }) => onQuery(currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape' && query) {
            event.preventDefault();
            onQuery('');
          }
          if (event.key === 'Enter') onEnter();
        }}
      />
      {query ? (
        <button type="button" class="search-clear" aria-label="Clear the search" onClick={() => onQuery('')}>
          <Close size={16} />
        </button>
      ) : (
        <kbd aria-hidden="true">Ctrl K</kbd>
      )}
    </div>
  );
}

function WhoAmI({ chat }: { chat: Chat }) {
  return (
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
  );
}

export function Sidebar({ chat }: { chat: Chat }) {
  const [query, setQuery] = useState('');
  const [isMaking, setMaking] = useState(false);
  const search = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const latestQuery = useRef('');
  latestQuery.current = query;
  const wanted = query.trim();
  const found = chat.list.search(query);

  /* What is not loaded yet may match as well: page on until there is enough. */
  useEffect(() => {
    if (!wanted) return;
    void chat.seek(
      () => chat.list.search(wanted).length >= SEARCH_ENOUGH,
      () => latestQuery.current.trim() === wanted,
    );
  }, [wanted, chat]);

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
  const make = (): void => setMaking(true);

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
          onClick={make}
        >
          <Plus />
        </button>
      </header>
      <Search
        query={query}
        field={search}
        onQuery={setQuery}
        onArrow={onArrow}
        onEnter={() => links()[0]?.click()}
      />
      <RoomList chat={chat} wanted={wanted} found={found} list={list} onArrow={onArrow} onMake={make} />
      <WhoAmI chat={chat} />
      {isMaking && (
        <NewRoom chat={chat} name={found.length === 0 ? wanted : ''} onDone={() => setMaking(false)} />
      )}
    </nav>
  );
}
