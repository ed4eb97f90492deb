/** One line of a room: a post, what the bot says, who came and went. */

import type { OpenRoom } from '../client/room.ts';
import type { Row } from '../core/rows.ts';
import { secondsUntil } from '../core/times.ts';
import type { Pending } from '../core/timeline.ts';
import type { Me } from '../core/wire.ts';
import { useNowMs } from './hooks.ts';
import { Alert, Check, Clock } from './icons.tsx';
import { Avatar, BotAvatar, MessageText, Time } from './parts.tsx';

type RowOf<K extends Row['kind']> = Extract<Row, { kind: K }>;

/** A post that was refused waits for its person. */
function Failure({ pending, room }: { pending: Pending; room: OpenRoom }) {
  const nowMs = useNowMs(pending.retryAtMs > Date.now());
  const wait = secondsUntil(pending.retryAtMs, nowMs);
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
}

function Mark({ state }: { state: 'sending' | 'stored' }) {
  return (
    <span class={`mark mark-${state}`} title={state === 'stored' ? 'Stored' : 'Sending'}>
      {state === 'stored' ? <Check size={15} /> : <Clock size={14} />}
      <span class="visually-hidden">{state === 'stored' ? 'stored' : 'sending'}</span>
    </span>
  );
}

function BotLine({ row: { id, post, at } }: { row: RowOf<'bot'> }) {
  return (
    <li class={`message bot ${post.isError ? 'bot-error' : ''}`} data-row={id} data-id={post.id}>
      <BotAvatar />
      <div class="body">
        <p class="who">
          <b>{post.username}</b>
          <span class="tag">Bot</span>
          {post.isError && <span class="tag tag-warn">Error</span>}
          <Time at={at} />
        </p>
        <MessageText content={post.content} />
      </div>
    </li>
  );
}

/** A person's post, stored or on its way: the same element, so that it keeps its place when it is stored. */
function PersonLine({ row, me, room }: { row: RowOf<'post' | 'pending'>; me: Me; room: OpenRoom }) {
  const isPost = row.kind === 'post';
  const name = isPost ? row.post.username : me.username;
  const state = isPost ? 'stored' : row.pending.state;
  return (
    <li
      class={`message ${row.leads ? 'leads' : ''} ${row.isOwn ? 'own' : ''} is-${state}`}
      data-row={row.id}
      data-id={isPost ? row.post.id : undefined}
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
          <MessageText content={isPost ? row.post.content : row.pending.content} />
          {row.isOwn && state !== 'failed' && <Mark state={state === 'stored' ? 'stored' : 'sending'} />}
          {!isPost && row.pending.isCommand && <span class="only-you">only you see this</span>}
        </div>
        {!isPost && state === 'failed' && <Failure pending={row.pending} room={room} />}
      </div>
    </li>
  );
}

export function Line({ row, me, room }: { row: Row; me: Me; room: OpenRoom }) {
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
      return <BotLine row={row} />;
    case 'post':
    case 'pending':
      return <PersonLine row={row} me={me} room={room} />;
  }
}
