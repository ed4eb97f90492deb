/** One room: its head, what is said in it, and where one writes. */

import { useEffect, useState } from 'preact/hooks';
import type { Chat } from '../client/chat.ts';
import type { OpenRoom } from '../client/room.ts';
import { lostState } from '../core/connection.ts';
import { spoken } from '../core/heard.ts';
import { plural } from '../core/text.ts';
import { secondsUntil } from '../core/times.ts';
import { Composer } from './composer.tsx';
import { useNowMs, useWatched } from './hooks.ts';
import { Back, Hash, Hourglass, Offline, People as PeopleIcon } from './icons.tsx';
import { Messages } from './messages.tsx';
import { People } from './people.tsx';
import { Spinner } from './parts.tsx';

/** Told in words as well as in colour. */
function statusOf(room: OpenRoom): { kind: 'live' | 'busy' | 'lost'; text: string } {
  switch (room.connection.phase) {
    case 'live':
      return { kind: 'live', text: 'Connected' };
    case 'waiting':
      return { kind: 'lost', text: 'Disconnected' };
    default:
      return { kind: 'busy', text: room.connection.wasLive ? 'Reconnecting' : 'Connecting' };
  }
}

function Banner({ room }: { room: OpenRoom }) {
  const { dueMs } = room.connection;
  const lost = lostState(room.connection);
  const isWaiting = lost === 'waiting';
  const nowMs = useNowMs(isWaiting);
  const unsent = room.timeline.pending.filter(({ state }) => state === 'sending').length;
  return (
    <div role="status">
      {lost && (
        <div class="banner" id="banner">
          {isWaiting ? <Offline size={18} /> : <Spinner />}
          <span>
            {isWaiting ? 'The connection is lost. ' : 'Connecting again. '}
            <span aria-hidden="true">{isWaiting && `Next try in ${secondsUntil(dueMs, nowMs)} s. `}</span>
            {unsent > 0
              ? `${plural(unsent, 'message')} will be sent then.`
              : 'What you write is kept and sent then.'}
          </span>
          {isWaiting && (
            <button type="button" class="link-button" onClick={() => room.wake()}>
              Try now
            </button>
          )}
        </div>
      )}
    </div>
  );
}

/** Entries are put behind each other and never changed: that is what screen readers read out in full. */
function Announcer({ room }: { room: OpenRoom }) {
  return (
    <div class="visually-hidden" id="announcer" role="log" aria-live="polite" aria-label="New messages">
      {room.heard.posts.map((post) => (
        <p key={post.id}>{spoken(post)}</p>
      ))}
    </div>
  );
}

export function RoomView({ chat, room }: { chat: Chat; room: OpenRoom }) {
  useWatched(room);
  const [isPeopleOpen, openPeople] = useState(false);
  const [sends, setSends] = useState(0);
  const known = chat.list.get(room.id);
  const name = known?.name ?? '';
  const status = statusOf(room);
  const count = room.presence.connections || known?.userCount || 0;

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === 'Escape' && !event.defaultPrevented) openPeople(false);
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);

  if (room.connection.ending === 'gone')
    return (
      <main class="room empty">
        <h1>This room does not exist</h1>
        <p>The address may be mistyped.</p>
        <a class="button" href="#/">
          All rooms
        </a>
      </main>
    );
  return (
    <>
      <main class="room" data-phase={room.connection.phase} data-room={room.id}>
        <header class="room-top">
          <a class="icon-button back" href="#/" aria-label="All rooms">
            <Back />
          </a>
          <span class="room-sign">{known?.isEphemeral ? <Hourglass /> : <Hash />}</span>
          <div class="room-title">
            <h1 id="room-name-shown" dir="auto">
              {name || <span class="bone bone-title" />}
            </h1>
            <p>
              <span class={`status status-${status.kind}`} id="status" role="status">
                <span class="dot" /> {status.text}
              </span>
              {known?.isEphemeral && <span> · Nothing is kept</span>}
            </p>
          </div>
          <button
            type="button"
            class="people-button"
            id="who-is-here"
            aria-expanded={isPeopleOpen}
            aria-controls="people"
            aria-label={`Who is here: ${plural(count, 'connection')}`}
            title="Who is here"
            onClick={() => openPeople(!isPeopleOpen)}
          >
            <PeopleIcon size={18} /> {count.toLocaleString()}
          </button>
        </header>
        <Banner room={room} />
        <Messages key={room.id} room={room} me={chat.me} name={name} sends={sends} />
        <Composer room={room} name={name} onSent={() => setSends(sends + 1)} />
        <Announcer room={room} />
      </main>
      {isPeopleOpen && <People room={room} me={chat.me} onClose={() => openPeople(false)} />}
    </>
  );
}
