// Tables, which become cards on a narrow screen. A browser forgets what a table is
// when its rows are laid out as anything else, so that roles say it again.
import { h } from './dom.js';

// table has a row of titles. Those of columns whose cells need none are for readers
// of the page only.
export function table(label, kind, columns) {
  const body = h('tbody', { role: 'rowgroup' });
  const element = h('table', { class: `table table-${kind}`, role: 'table', 'aria-label': label },
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, columns.map(({ title, hidden }) =>
      h('th', { role: 'columnheader', scope: 'col' }, hidden ? h('span', { class: 'unseen' }, title) : title)))),
    body);
  return { element, body };
}

export const row = (...cells) => h('tr', { role: 'row' }, ...cells);

// cell knows the title of its column, which is shown in a card.
export const cell = (title, kind, ...children) => h('td', { role: 'cell', class: `cell-${kind}`, 'data-title': title }, ...children);

// strong and quiet are the two lines of a cell.
export const strong = (...children) => h('span', { class: 'strong' }, ...children);
export const quiet = (...children) => h('span', { class: 'quiet' }, ...children);
