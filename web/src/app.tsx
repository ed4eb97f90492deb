/** The page: which of its three faces is shown, and the address that says so. */

import { render } from 'preact';
import { useEffect, useLayoutEffect, useReducer, useState } from 'preact/hooks';
import { Refusal, api } from './client/api.ts';
import { Chat } from './client/chat.ts';
import { Login, Register } from './ui/account.tsx';
import { useWatched } from './ui/hooks.ts';
import { Brand } from './ui/icons.tsx';
import { RoomView } from './ui/room_view.tsx';
import { Sidebar } from './ui/sidebar.tsx';
import { Spinner } from './ui/parts.tsx';

/** "#/room/<id>" names the open room, so that a reload, a bookmark and the back button mean what they say. */
function roomInAddress(): string | null {
  return /^#\/room\/([0-9a-f-]{36})$/.exec(location.hash)?.[1] ?? null;
}

function titleOf(chat: Chat): string {
  const name = chat.room && chat.list.get(chat.room.id)?.name;
  return `${chat.unread > 0 ? `(${chat.unread}) ` : ''}${name ? `${name} · ` : ''}confab`;
}

function ChatPage({ chat }: { chat: Chat }) {
  useWatched(chat);
  useLayoutEffect(() => {
    const follow = (): void => chat.show(roomInAddress());
    follow();
    window.addEventListener('hashchange', follow);
    return () => window.removeEventListener('hashchange', follow);
  }, [chat]);
  const title = titleOf(chat);
  useLayoutEffect(() => {
    document.title = title;
  }, [title]);
  return (
    <div class={`chat ${chat.room ? 'has-room' : ''}`}>
      <a
        class="skip"
        href={chat.room ? '#composer' : '#search'}
        onClick={(event) => {
          event.preventDefault();
          document.querySelector<HTMLElement>('#composer textarea, #search')?.focus();
        }}
      >
        Skip to the message field
      </a>
      <Sidebar chat={chat} />
      {chat.room ? (
        <RoomView key={chat.room.id} chat={chat} room={chat.room} />
      ) : (
        <main class="room empty">
          <Brand size={56} />
          <h1>Choose a room</h1>
          <p>Pick one from the list, or make a new one with the plus above it.</p>
        </main>
      )}
    </div>
  );
}

/** Before it is known who one is, or when that cannot be found out. */
function Waiting({ error, onRetry }: { error: string | null; onRetry(): void }) {
  return (
    <main class="waiting">
      {error === null ? (
        <>
          <Spinner />
          <p class="visually-hidden" role="status">
            Loading
          </p>
        </>
      ) : (
        <>
          <Brand size={48} />
          <h1>No answer from the server</h1>
          <p role="alert">{error}</p>
          <button type="button" class="button button-primary" onClick={onRetry}>
            Try again
          </button>
        </>
      )}
    </main>
  );
}

function App() {
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const [chat, setChat] = useState<Chat | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [notice, setNotice] = useState<string | undefined>(undefined);
  const { pathname } = location;
  const isAccount = pathname === '/login' || pathname === '/register';

  /* The fragment stays, so that one comes back to the room one came from. */
  const go = (path: string): void => {
    history.pushState(null, '', path + location.hash);
    draw(undefined);
  };

  useEffect(() => {
    const onPop = (): void => draw(undefined);
    window.addEventListener('popstate', onPop);
    return () => window.removeEventListener('popstate', onPop);
  }, []);

  const enter = async (): Promise<void> => {
    setError(null);
    try {
      const me = await api.me();
      const entered: Chat = new Chat(me, (asked) => {
        if (location.pathname !== '/') return;
        entered.close();
        if (asked) history.replaceState(null, '', '/');
        setChat(null);
        setNotice(asked ? undefined : 'Your session has ended. Log in to go on.');
        go('/login');
      });
      setNotice(undefined);
      setChat(entered);
    } catch (failure) {
      if (failure instanceof Refusal && failure.status === 401) go('/login');
      else setError(failure instanceof Error ? failure.message : String(failure));
    }
  };

  useEffect(() => {
    if (!isAccount && !chat) void enter();
    if (isAccount && chat) {
      chat.close();
      setChat(null);
    }
    if (isAccount) document.title = pathname === '/login' ? 'Log in · confab' : 'Create an account · confab';
  }, [isAccount, pathname, chat]);

  const onLink = (event: MouseEvent): void => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go((event.currentTarget as HTMLAnchorElement).pathname);
  };
  const onEntered = (): void => go('/');
  if (pathname === '/login') return <Login onEntered={onEntered} onLink={onLink} notice={notice} />;
  if (pathname === '/register') return <Register onEntered={onEntered} onLink={onLink} />;
  return chat ? <ChatPage chat={chat} /> : <Waiting error={error} onRetry={() => void enter()} />;
}

render(<App />, document.getElementById('app')!);
