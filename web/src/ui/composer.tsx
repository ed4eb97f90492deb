/** Where one writes: what may be sent, the commands' help, what the server refused. */

import { useEffect, useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks';
import type { OpenRoom } from '../client/room.ts';
import { hintFor, suggest } from '../core/commands.ts';
import type { Suggestion } from '../core/commands.ts';
import { POST_CHARS_MAX, codePoints, sendable } from '../core/text.ts';
import { secondsUntil } from '../core/times.ts';
import { useNowMs } from './hooks.ts';
import { Alert, Bot, Close, Send } from './icons.tsx';

/** From here on the rest is counted. */
const COUNT_FROM = POST_CHARS_MAX - 200;
const HELP = 'command-help';

interface ComposerProps {
  room: OpenRoom;
  name: string;
  onSent(): void;
}

export function Composer({ room, name, onSent }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const [isClosed, close] = useState(false); // the help, by Escape, until something else is typed
  const [at, setAt] = useState(0);
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const { draft, trouble } = room;
  useNowMs(trouble !== null && trouble.untilMs > 0);

  /* Events ask what holds now: a quick typist is ahead of what was drawn last. */
  const waitNow = (): number => (room.trouble ? secondsUntil(room.trouble.untilMs, Date.now()) : 0);
  const offeredNow = (): Suggestion[] => (isClosed ? [] : suggest(room.draft));
  const sendableNow = (): string | null => {
    const text = sendable(room.draft);
    const length = codePoints(text);
    return length > 0 && length <= POST_CHARS_MAX && waitNow() === 0 ? text : null;
  };

  const wait = waitNow();
  const offered = offeredNow();
  const chosen = offered[Math.min(at, offered.length - 1)];
  const hint = chosen ? null : hintFor(draft);
  const length = codePoints(sendable(draft));

  /* As high as its text, up to what the style allows, where the style cannot say so. */
  useLayoutEffect(() => {
    if (CSS.supports('field-sizing', 'content')) return;
    const box = field.current!;
    box.style.height = 'auto';
    box.style.height = `${box.scrollHeight}px`;
  }, [draft, room]);

  /* One opens a room to write; where the keyboard is on the screen, it must not jump up. */
  useEffect(() => {
    if (!matchMedia('(pointer: coarse)').matches) field.current!.focus({ preventScroll: true });
  }, [room]);

  /* A wait that is over needs no dismissal. */
  useEffect(() => {
    if (trouble !== null && trouble.untilMs > 0 && wait === 0) room.dismissTrouble();
  }, [trouble, wait]);

  const write = (text: string): void => {
    room.setDraft(text);
    close(false);
    setAt(0);
    draw(undefined);
  };

  const send = (): void => {
    const text = sendableNow();
    if (text === null) return;
    room.send(text);
    room.dismissTrouble();
    draw(undefined);
    onSent();
  };

  const take = ({ insert }: Suggestion): void => {
    write(insert);
    field.current!.focus();
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    const isDown = event.key === 'ArrowDown' || (event.ctrlKey && event.key === 'n');
    const isUp = event.key === 'ArrowUp' || (event.ctrlKey && event.key === 'p');
    const offered = offeredNow();
    const index = Math.min(at, offered.length - 1);
    const chosen = offered[index];
    if (chosen && (isDown || isUp)) {
      event.preventDefault();
      setAt((index + (isDown ? 1 : offered.length - 1)) % offered.length);
    } else if (
      chosen &&
      ((event.key === 'Enter' && !event.shiftKey) || (event.key === 'Tab' && !event.shiftKey))
    ) {
      event.preventDefault();
      take(chosen);
    } else if (chosen && event.key === 'Escape') {
      event.preventDefault();
      close(true);
    } else if (
      event.key === 'Enter' &&
      !event.shiftKey &&
      !event.ctrlKey &&
      !event.altKey &&
      !event.metaKey
    ) {
      event.preventDefault();
      send();
    }
  };

  return (
    <div class="composer-area">
      <div role="alert">
        {trouble && (
          <p class="trouble">
            <Alert size={18} />
            <span>
              {trouble.message}
              {wait > 0 && `. You can send again in ${wait} s.`}
            </span>
            <button
              type="button"
              class="icon-button icon-button-small"
              aria-label="Dismiss"
              onClick={() => room.dismissTrouble()}
            >
              <Close size={16} />
            </button>
          </p>
        )}
      </div>
      {chosen && (
        <ul class="command-help" id={HELP} role="listbox" aria-label="Commands">
          {offered.map((one) => (
            <li
              key={one.insert}
              id={`${HELP}-${one.insert.replace(/\W/g, '')}`}
              role="option"
              aria-selected={one === chosen}
              onPointerDown={(event) => event.preventDefault() /* the field keeps the focus */}
              onClick={() => take(one)}
            >
              <b>{one.title}</b> <span>{one.hint}</span>
            </li>
          ))}
        </ul>
      )}
      <form
        class={`composer ${length > POST_CHARS_MAX ? 'composer-over' : ''}`}
        id="composer"
        onSubmit={(event) => {
          event.preventDefault();
          send();
          field.current!.focus();
        }}
      >
        <textarea
          ref={field}
          name="content"
          rows={1}
          placeholder={`Message ${name}`}
          aria-label={`Message ${name}`}
          autocomplete="off"
          enterkeyhint="send"
          aria-autocomplete="list"
          aria-haspopup="listbox"
          aria-controls={chosen ? HELP : undefined}
          aria-activedescendant={chosen ? `${HELP}-${chosen.insert.replace(/\W/g, '')}` : undefined}
          aria-invalid={length > POST_CHARS_MAX ? 'true' : undefined}
          aria-describedby="composer-note"
          value={draft}
          onInput={({ currentTarget }) => write(currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <button class="send" aria-label="Send" title="Send" aria-disabled={sendableNow() === null}>
          <Send />
        </button>
      </form>
      <p class="composer-note" id="composer-note">
        {hint ? (
          <span class={`hint hint-${hint.kind}`}>
            <Bot size={16} /> {hint.text}
          </span>
        ) : (
          <span class="keys">
            <kbd>Enter</kbd> sends, <kbd>Shift Enter</kbd> begins a new line, <kbd>/</kbd> shows commands
          </span>
        )}
        {length >= COUNT_FROM && (
          <span class={`counter ${length > POST_CHARS_MAX ? 'counter-over' : ''}`} id="counter">
            {length.toLocaleString()} of {POST_CHARS_MAX.toLocaleString()} characters
          </span>
        )}
      </p>
      <p class="visually-hidden" role="status">
        {offered.length > 0 ? `${offered.length} commands, arrows choose, Enter takes` : ''}
      </p>
    </div>
  );
}
