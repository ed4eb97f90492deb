import { applyTheme, chosenTheme } from './client/theme.ts';

applyTheme(chosenTheme());
