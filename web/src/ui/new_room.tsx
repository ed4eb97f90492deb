/** The dialog that makes a room. */

import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Chat } from '../client/chat.ts';
import { ROOM_NAME_CHARS_MAX, codePoints } from '../core/text.ts';
import { Close } from './icons.tsx';
import { Spinner } from './parts.tsx';

interface NewRoomProps {
  chat: Chat;
  name: string;
  onDone(): void;
}

export function NewRoom({ chat, name: first, onDone }: NewRoomProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const [name, setName] = useState(first);
  const [isEphemeral, setEphemeral] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);

  useLayoutEffect(() => {
    dialog.current!.showModal();
    field.current!.focus();
  }, []);

  const create = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (isBusy) return;
    const wanted = name.replace(/\p{Cc}/gu, ' ').trim();
    if (!wanted) return setFault('Give the room a name.');
    if (codePoints(wanted) > ROOM_NAME_CHARS_MAX)
      return setFault(`A name has at most ${ROOM_NAME_CHARS_MAX} characters.`);
    setBusy(true);
    try {
      const room = await chat.create(wanted, isEphemeral);
      onDone();
      location.hash = `#/room/${room.id}`;
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };

  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby="new-room-title"
      onClose={onDone}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current?.close(); // beside the dialog
      }}
    >
      <form id="create" class="dialog-body" onSubmit={create} noValidate>
        <header>
          <h2 id="new-room-title">New room</h2>
          <button
            type="button"
            class="icon-button"
            aria-label="Close"
            onClick={() => dialog.current?.close()}
          >
            <Close />
          </button>
        </header>
        <div class={`field ${fault ? 'field-wrong' : ''}`}>
          <label for="room-name">Name</label>
          <div class="field-box">
            <input
              id="room-name"
              dir="auto"
              name="name"
              ref={field}
              autocomplete="off"
              placeholder="What is it about?"
              value={name}
              aria-invalid={fault ? 'true' : undefined}
              aria-describedby="room-name-note"
              onInput={({ currentTarget }) => {
                setName(currentTarget.value);
                setFault(null);
              }}
            />
          </div>
          <p
            id="room-name-note"
            class={fault ? 'field-error' : 'field-hint'}
            role={fault ? 'alert' : undefined}
          >
            {fault ?? 'Everyone can find it and join.'}
          </p>
        </div>
        <label class="switch-line">
          <input
            type="checkbox"
            name="ephemeral"
            class="switch"
            checked={isEphemeral}
            onChange={({ currentTarget }) => setEphemeral(currentTarget.checked)}
          />
          <span>
            <b>Keep nothing</b>
            <small>Messages are shown to those who are there, and never stored.</small>
          </span>
        </label>
        <footer>
          <button type="button" class="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button class="button button-primary" aria-disabled={isBusy}>
            {isBusy && <Spinner />} Create room
          </button>
        </footer>
      </form>
    </dialog>
  );
}
