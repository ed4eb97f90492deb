/** Small parts that several places use. */

import { hueOf, initial, pieces } from '../core/text.ts';
import { Bot } from './icons.tsx';
import { clock, fullTime } from '../core/times.ts';

export function Avatar({ name, size = 'medium' }: { name: string; size?: 'small' | 'medium' | 'large' }) {
  return (
    <span class={`avatar avatar-${size} hue-${hueOf(name)}`} aria-hidden="true">
      {initial(name)}
    </span>
  );
}

export function BotAvatar() {
  return (
    <span class="avatar avatar-medium avatar-bot" aria-hidden="true">
      <Bot size={20} />
    </span>
  );
}

/** A message's text, as text; addresses in it become links. */
export function MessageText({ content }: { content: string }) {
  return (
    <div class="text" dir="auto">
      {pieces(content).map(({ text, href }) =>
        href ? (
          <a href={href} target="_blank" rel="noopener noreferrer nofollow">
            {text}
          </a>
        ) : (
          text
        ),
      )}
    </div>
  );
}

export function Time({ at }: { at: Date }) {
  return (
    <time dateTime={at.toISOString()} title={fullTime(at)}>
      {clock(at)}
    </time>
  );
}

export function Spinner() {
  return <span class="spinner" aria-hidden="true" />;
}
