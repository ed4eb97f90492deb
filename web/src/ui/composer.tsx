/** Where one writes: what may be sent, the commands' help, what the server refused. */

import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks';
import type { OpenRoom, Trouble as Told } from '../client/room.ts';
import { hintFor, suggest } from '../core/commands.ts';
import type { Hint, Suggestion } from '../core/commands.ts';
import { POST_CHARS_MAX, codePoints, isolated, sendable } from '../core/text.ts';
import { secondsUntil } from '../core/times.ts';
import { useNowMs } from './hooks.ts';
import { Alert, Bot, Close, Send } from './icons.tsx';

/** From here on the rest is counted. */
const COUNT_FROM = POST_CHARS_MAX - 200;
const HELP = 'command-help';

const idOf = ({ insert }: Suggestion): string => `${HELP}-${insert.replace(/\W/g, '')}`;

/** What a key is for, in the field, with or without commands on offer. */
function meaningOf(event: KeyboardEvent, isOffering: boolean): Meaning | null {
  const { key, shiftKey, ctrlKey, altKey, metaKey } = event;
  if (event.isComposing) return null;
  if (isOffering) {
    if (key === 'ArrowDown' || (ctrlKey && key === 'n')) return 'next';
    if (key === 'ArrowUp' || (ctrlKey && key === 'p')) return 'previous';
    if ((key === 'Enter' || key === 'Tab') && !shiftKey) return 'take';
    if (key === 'Escape') return 'close';
  }
  return key === 'Enter' && !shiftKey && !ctrlKey && !altKey && !metaKey ? 'send' : null;
}

type Meaning = 'next' | 'previous' | 'take' | 'close' | 'send';

/** As high as its text, up to what the style allows, where the style cannot say so. */
function useOwnHeight(field: RefObject<HTMLTextAreaElement | null>, changes: unknown[]): void {
  useLayoutEffect(() => {
    if (CSS.supports('field-sizing', 'content')) return;
    const box = field.current!;
    box.style.height = 'auto';
    box.style.height = `${box.scrollHeight}px`;
  }, changes);
}

function Trouble({ trouble, wait, onDismiss }: { trouble: Told; wait: number; onDismiss(): void }) {
  return (
    <p class="trouble">
      <Alert size={18} />
      <span>
        {trouble.message}
        {wait > 0 && `. You can send again in ${wait} s.`}
      </span>
      <button type="button" class="icon-button icon-button-small" aria-label="Dismiss" onClick={onDismiss}>
        <Close size={16} />
      </button>
    </p>
  );
}

interface CommandHelpProps {
  offered: Suggestion[];
  chosen: Suggestion;
  onTake(one: Suggestion): void;
}

function CommandHelp({ offered, chosen, onTake }: CommandHelpProps) {
  return (
    <ul class="command-help" id={HELP} role="listbox" aria-label="Commands">
      {offered.map((one) => (
        <li
          key={one.insert}
          id={idOf(one)}
          role="option"
          aria-selected={one === chosen}
          onPointerDown={(event) => event.preventDefault() /* the field keeps the focus */}
          onClick={() => onTake(one)}
        >
          <b>{one.title}</b> <span>{one.hint}</span>
        </li>
      ))}
    </ul>
  );
}

/** What will become of the draft, or how to send it; how long it is. */
function Note({ hint, length }: { hint: Hint | null; length: number }) {
  return (
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
  );
}

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

  useOwnHeight(field, [draft, room]);

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
    const offered = offeredNow();
    const meaning = meaningOf(event, offered.length > 0);
    if (meaning === null) return;
    event.preventDefault();
    const index = Math.min(at, offered.length - 1);
    if (meaning === 'next') setAt((index + 1) % offered.length);
    if (meaning === 'previous') setAt((index + offered.length - 1) % offered.length);
    if (meaning === 'take') take(offered[index]!);
    if (meaning === 'close') close(true);
    if (meaning === 'send') send();
  };

  return (
    <div class="composer-area">
      <div role="alert">
        {trouble && <Trouble trouble={trouble} wait={wait} onDismiss={() => room.dismissTrouble()} />}
      </div>
      {chosen && <CommandHelp offered={offered} chosen={chosen} onTake={take} />}
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
          dir="auto"
          placeholder={`Message ${isolated(name)}`}
          aria-label={`Message ${isolated(name)}`}
          autocomplete="off"
          enterkeyhint="send"
          aria-autocomplete="list"
          aria-haspopup="listbox"
          aria-controls={chosen ? HELP : undefined}
          aria-activedescendant={chosen ? idOf(chosen) : undefined}
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
      <Note hint={hint} length={length} />
      <p class="visually-hidden" role="status">
        {offered.length > 0 ? `${offered.length} commands, arrows choose, Enter takes` : ''}
      </p>
    </div>
  );
}
