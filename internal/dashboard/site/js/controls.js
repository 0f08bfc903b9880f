// Buttons, badges and the like, which look and behave the same everywhere.
import { h } from './dom.js';
import { icon } from './icons.js';

// button is one with a text, and perhaps an icon before it.
export function button(text, action, { kind = 'plain', glyph, ...attributes } = {}) {
  return h('button', { type: 'button', class: `button button-${kind}`, onclick: action, ...attributes }, glyph && icon(glyph), text);
}

// iconButton is one that shows its icon alone, and says the rest to who asks.
export function iconButton(label, glyph, action, attributes = {}) {
  return h('button', { type: 'button', class: 'icon-button', 'aria-label': label, title: label, onclick: action, ...attributes }, icon(glyph));
}

// copyable is a text with a button that copies it. Only pages that came over HTTPS
// or from this machine may use the clipboard: on others the text is selected.
export function copyable(label, text) {
  const code = h('code', { class: 'copy-text' }, text);
  const copy = iconButton(`Copy: ${label}`, 'copy', async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      copy.replaceChildren(icon('check'));
      toast('Copied.');
      setTimeout(() => copy.replaceChildren(icon('copy')), 2000);
    } catch {
      getSelection().selectAllChildren(code);
      toast('Selected: copy it with your keyboard.');
    }
  });
  return { element: h('div', { class: 'copy' }, code, copy), code };
}

const shownFor = 5000;

// toast says something for a moment.
export function toast(text, kind = 'plain') {
  // What is said has to be on top of an open dialog, which everything else is below.
  const open = [...document.querySelectorAll('dialog[open]')].at(-1);
  const box = open ? open.querySelector('.toasts') ?? open.appendChild(h('div', { class: 'toasts', role: 'status' })) : document.getElementById('toasts');
  const line = h('p', { class: `toast toast-${kind}` }, text);
  box.append(line);
  setTimeout(() => line.remove(), shownFor);
}

// attempt does something, and says so if it fails. It resolves to whether it did not.
export async function attempt(action, done) {
  try {
    await action();
    if (done) toast(done);
    return true;
  } catch (error) {
    toast(error.message, 'bad');
    return false;
  }
}
