/**
 * The colours: those of the system unless the person chose. Runs before the page is drawn, from a file of its
 * own, so that nothing flashes; the style sheet does the rest.
 */

export type Theme = 'system' | 'light' | 'dark';

const NAME = 'confab-theme';
const themes: readonly Theme[] = ['system', 'light', 'dark'];

export function chosenTheme(): Theme {
  try {
    const kept = localStorage.getItem(NAME);
    return themes.find((theme) => theme === kept) ?? 'system';
  } catch {
    return 'system';
  }
}

export function applyTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function chooseTheme(theme: Theme): void {
  try {
    localStorage.setItem(NAME, theme);
  } catch {
    /* it holds until the page is closed */
  }
  applyTheme(theme);
}
