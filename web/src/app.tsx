/** The page: which of its three faces is shown, and the address that says so. */

import { render } from 'preact';
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks';
import { Refusal, api } from './client/api.ts';
import { Chat } from './client/chat.ts';
import type { ChatEnd } from './client/chat.ts';
import { session } from './client/session.ts';
import { isolated } from './core/text.ts';
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
  return `${chat.unread > 0 ? `(${chat.unread}) ` : ''}${name ? `${isolated(name)} · ` : ''}confab`;
}

/** notice: something that the person did not do themselves. */
function ChatPage({ chat, notice }: { chat: Chat; notice: string | undefined }) {
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
          {notice && (
            <p class="notice" role="status">
              {notice}
            </p>
          )}
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

const notices: Record<ChatEnd | 'elsewhere', string | undefined> = {
  asked: undefined,
  ended: 'Your session has ended. Log in to go on.',
  elsewhere: 'You have logged out in another tab.',
  replaced: 'Another account has been logged in in this browser, and this page is theirs now.',
};

function App() {
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const [chat, setChat] = useState<Chat | null>(null);
  const current = useRef<Chat | null>(null); // as events see it, ahead of what is drawn
  const entries = useRef(0);
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

  const drop = (): void => {
    current.current?.close();
    current.current = null;
    setChat(null);
  };

  /* Who comes back to the same session finds the same room; whoever else comes begins anew. */
  const end = (why: ChatEnd | 'elsewhere'): void => {
    drop();
    if (why !== 'ended') history.replaceState(null, '', '/');
    if (why === 'asked') session.logout();
    setNotice(notices[why]);
    if (why !== 'replaced') go('/login');
  };

  const enter = async (): Promise<void> => {
    setError(null);
    if (session.isLeaving) {
      void session.tell();
      return go('/login');
    }
    const entry = ++entries.current;
    try {
      const me = await api.me();
      if (entry !== entries.current || location.pathname !== '/' || session.isLeaving) return;
      const entered: Chat = new Chat(me, (why) => {
        if (current.current === entered) end(why);
      });
      current.current = entered;
      session.entered(me);
      setChat(entered);
    } catch (failure) {
      if (entry !== entries.current) return;
      if (failure instanceof Refusal && failure.status === 401) go('/login');
      else setError(failure instanceof Error ? failure.message : String(failure));
    }
  };

  useEffect(() => {
    if (session.isLeaving) void session.tell();
    return session.listen((news) => {
      const here = current.current;
      if (!here && location.pathname === '/') void enter(); // what was found out may not hold any more
      if (news.is === 'out' && here) end('elsewhere');
      if (news.is === 'in' && here && here.me.id !== news.user) end('replaced');
    });
  }, []);

  useEffect(() => {
    if (!isAccount && !chat) void enter();
    if (isAccount && chat) drop();
    if (!chat && !isAccount) document.title = 'confab';
    if (isAccount) document.title = pathname === '/login' ? 'Log in · confab' : 'Create an account · confab';
  }, [isAccount, pathname, chat]);

  const onLink = (event: MouseEvent): void => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go((event.currentTarget as HTMLAnchorElement).pathname);
  };
  const onEntered = (): void => {
    setNotice(undefined);
    go('/');
  };
  if (pathname === '/login') return <Login onEntered={onEntered} onLink={onLink} notice={notice} />;
  if (pathname === '/register') return <Register onEntered={onEntered} onLink={onLink} />;
  return chat ? (
    <ChatPage chat={chat} notice={notice} />
  ) : (
    <Waiting error={error} onRetry={() => void enter()} />
  );
}

render(<App />, document.getElementById('app')!);
