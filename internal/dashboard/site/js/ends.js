// Who has ended, and why.
import { arrange, byId, h, show } from './dom.js';
import { button } from './controls.js';
import { bytes, duration, joined, time } from './format.js';
import { cell, quiet, row, strong, table } from './table.js';

// keptEnds is how many the server tells of, and a part of them is shown.
export const keptEnds = 500;
const shownAtOnce = 12;

// usual are the reasons that need nobody to do anything.
const usual = new Set(['closed by client', 'stream ended', 'server stopping', 'closed before the handshake']);
const usualOfPlayers = new Set(['connection reset']); // many go so
const byOrder = new Set(['killed by command', 'killed by an operator', 'replaced by another publisher']);

const protocols = { rtmp: 'RTMP', rtmps: 'RTMPS', 'http-flv': 'HTTP-FLV', 'ws-flv': 'WebSocket' };
export const protocolOf = (session) => protocols[session.protocol] ?? session.protocol;

// One connection may have several sessions, so that ids alone are no names of ends.
const nameOf = (end) => `${end.id} ${end.ended} ${end.kind}`;

const kindNames = { publisher: 'Publisher', player: 'Viewer', refused: 'Refused' };

function toneOf({ kind, reason }) {
  if (byOrder.has(reason)) return 'order';
  return usual.has(reason) || kind === 'player' && usualOfPlayers.has(reason) ? 'idle' : 'warn';
}

function endRow(end) {
  const lasted = Math.max(0, (Date.parse(end.ended) - Date.parse(end.started)) / 1000);
  const moved = end.kind === 'publisher' ? end.bytes_in : end.bytes_out;
  return row(
    cell('Ended', 'time', time(end.ended)),
    cell('Reason', 'reason', h('span', { class: 'badge', 'data-tone': toneOf(end) }, h('span', { class: 'dot' }), h('span', {}, end.reason)), end.detail && quiet(end.detail)),
    cell('Channel', 'channel', end.channel || '–'),
    cell('Who', 'who', strong(joined(kindNames[end.kind] ?? end.kind, protocolOf(end))), quiet(joined(end.client, end.address))),
    cell('Lasted', 'lasted', end.started ? duration(lasted) : '–'),
    cell('Media', 'moved', bytes(moved)));
}

const columns = ['Ended', 'Reason', 'Channel', 'Who', 'Lasted', 'Media'].map((title) => ({ title }));

// EndList is a table of ends, newest first, of which only some are wanted.
export class EndList {
  #ends = [];
  #rows = new Map();
  #limit = shownAtOnce;
  #wanted = () => true;
  #table = table('Recently ended', 'ends', columns);
  #none = h('p', { class: 'none' }, 'Nothing of that kind has ended.');
  #more = button('Show more', () => { this.#limit += 4 * shownAtOnce; this.#draw(); }, { kind: 'more' });
  element = h('div', {}, this.#table.element, this.#none, this.#more);

  constructor() { this.#draw(); }

  // set replaces all of them, and add adds the newest.
  set(ends) {
    this.#ends = [...ends];
    this.#draw();
  }

  add(end) {
    if (this.#ends.some((known) => nameOf(known) === nameOf(end))) return; // told twice, around a new connection
    this.#ends = [end, ...this.#ends].slice(0, keptEnds);
    this.#draw();
  }

  want(wanted) {
    [this.#wanted, this.#limit] = [wanted, shownAtOnce];
    this.#draw();
  }

  get empty() { return this.#ends.length === 0; }

  #draw() {
    const found = this.#ends.filter(this.#wanted);
    const shown = found.slice(0, this.#limit);
    const rows = new Map(shown.map((end) => [nameOf(end), this.#rows.get(nameOf(end)) ?? endRow(end)]));
    this.#rows = rows;
    arrange(this.#table.body, [...rows.values()]);
    show(this.#table.element, shown.length > 0);
    show(this.#none, shown.length === 0);
    show(this.#more, found.length > shown.length);
  }
}

const kinds = [['all', 'All'], ['publisher', 'Publishers'], ['player', 'Viewers'], ['refused', 'Refused']];

// Ends is the part of the page.
export class Ends {
  #list = new EndList();

  constructor() {
    const choices = kinds.map(([kind, title]) => h('label', { class: 'choice' },
      h('input', { type: 'radio', name: 'ends-kind', value: kind, checked: kind === 'all', onchange: () => this.#list.want((end) => kind === 'all' || end.kind === kind) }),
      h('span', {}, title)));
    byId('ends-tools').append(h('fieldset', { class: 'choices' }, h('legend', { class: 'unseen' }, 'Show'), choices));
    byId('ends-body').append(this.#list.element);
  }

  set(ends) {
    this.#list.set(ends);
    this.#update();
  }

  add(end) {
    this.#list.add(end);
    this.#update();
  }

  #update() { show(byId('ends'), !this.#list.empty); }
}


