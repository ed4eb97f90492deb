import { useState } from 'preact/hooks';
import { chooseTheme, chosenTheme } from '../client/theme.ts';
import type { Theme } from '../client/theme.ts';
import { Moon, Screen, Sun } from './icons.tsx';

const order: readonly { theme: Theme; name: string; Icon: typeof Sun }[] = [
  { theme: 'system', name: 'as the system', Icon: Screen },
  { theme: 'light', name: 'light', Icon: Sun },
  { theme: 'dark', name: 'dark', Icon: Moon },
];

/** System, light, dark, and round again. */
export function ThemeButton() {
  const [theme, setTheme] = useState(chosenTheme());
  const at = order.findIndex((one) => one.theme === theme);
  const { name, Icon } = order[at]!;
  const next = order[(at + 1) % order.length]!;
  return (
    <button
      type="button"
      class="icon-button theme-button"
      data-theme-choice={theme}
      aria-label={`Colours: ${name}. Change to ${next.name}`}
      title={`Colours: ${name}`}
      onClick={() => {
        chooseTheme(next.theme);
        setTheme(next.theme);
      }}
    >
      <Icon />
    </button>
  );
}
