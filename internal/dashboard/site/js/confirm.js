// The question before what cannot be undone.
import { h } from './dom.js';
import { button } from './controls.js';

// confirm asks, and resolves to whether the answer is yes. Escape is a no, and so is
// Enter, unless somebody went to the other button.
export function confirm({ title, text, action }) {
  return new Promise((resolve) => {
    let yes = false;
    const dialog = h('dialog', { class: 'ask', 'aria-labelledby': 'ask-title', 'aria-describedby': 'ask-text' },
      h('h2', { id: 'ask-title' }, title),
      h('p', { id: 'ask-text' }, text),
      h('div', { class: 'ask-buttons' },
        button('Cancel', () => dialog.close(), { autofocus: true }),
        button(action, () => { yes = true; dialog.close(); }, { kind: 'danger' })));
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(yes);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
