// What is always at hand at the top: how to publish, the theme, and the way out.
import { byId, h, show } from './dom.js';
import { button, iconButton } from './controls.js';
import { icon } from './icons.js';
import { logOut } from './api.js';
import { showInstructions } from './publish.js';

const themes = ['auto', 'light', 'dark'];

function themeButton() {
  const root = document.documentElement;
  const control = iconButton('', 'auto', () => {
    set(themes[(themes.indexOf(root.dataset.theme ?? 'auto') + 1) % themes.length]);
  });
  function set(theme) {
    if (theme === 'auto') delete root.dataset.theme;
    else root.dataset.theme = theme;
    try {
      localStorage.setItem('theme', theme);
    } catch {
      // It holds until the page is closed.
    }
    const label = `Theme: ${theme === 'auto' ? 'as the system' : theme}`;
    control.setAttribute('aria-label', label);
    control.title = label;
    control.replaceChildren(icon(theme));
  }
  set(root.dataset.theme ?? 'auto');
  return control;
}

// Tools are shown from the first status on, which says what there is to do.
export class Tools {
  #endpoints;
  #publish = button('Publish', () => showInstructions(this.#endpoints), { kind: 'main', glyph: 'antenna' });
  #leave = iconButton('Log out', 'leave', logOut);

  constructor() {
    show(this.#publish, false);
    show(this.#leave, false);
    byId('tools').append(themeButton(), this.#leave, this.#publish);
  }

  update({ endpoints, login }) {
    this.#endpoints = endpoints;
    show(this.#publish, true);
    show(this.#leave, login);
  }
}
