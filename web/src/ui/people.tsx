/** Who is in the room. */

import type { OpenRoom } from '../client/room.ts';
import { plural } from '../core/text.ts';
import type { Me } from '../core/wire.ts';
import { Close } from './icons.tsx';
import { Avatar } from './parts.tsx';

export function People({ room, me, onClose }: { room: OpenRoom; me: Me; onClose(): void }) {
  const { presence } = room;
  const names = presence.names(me.username);
  return (
    <aside class="people" id="people" aria-label="Who is here">
      <header>
        <h2>Who is here</h2>
        <button type="button" class="icon-button" aria-label="Close the list of people" onClick={onClose}>
          <Close />
        </button>
      </header>
      <ul>
        {names.map((name) => (
          <li key={name}>
            <Avatar name={name} size="small" />
            <span class="people-name">{name}</span>
            {name === me.username && <span class="you">you</span>}
          </li>
        ))}
      </ul>
      {presence.more > 0 && <p class="people-more">and {presence.more} more</p>}
      {presence.unnamed > 0 && (
        <p class="people-more">
          and {plural(presence.unnamed, 'more connection')}. Names appear when people come, write or go.
        </p>
      )}
    </aside>
  );
}
