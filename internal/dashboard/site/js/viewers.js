// Who watches a channel.
import { arrange, h, say, show } from './dom.js';
import { attempt, button } from './controls.js';
import { confirm } from './confirm.js';
import { getSessions, kick } from './api.js';
import { bytes, count, joined, plural, seconds, since } from './format.js';
import { protocolOf } from './ends.js';
import { cell, quiet, row, strong, table } from './table.js';

// asked is how many sessions of a channel are asked for, and shown how many of its
// viewers are: those who have it worst come first.
const [asked, shown] = [1000, 100];
const every = 2000; // milliseconds

class Row {
  #texts = Object.fromEntries(['lag', 'skipped', 'sent', 'since'].map((name) => [name, h('span')]));
  element;

  constructor(session, refresh) {
    const t = this.#texts;
    this.element = row(
      cell('Viewer', 'viewer', strong(session.address), quiet(joined(protocolOf(session), session.client))),
      cell('Lag', 'lag', t.lag),
      cell('Dropped', 'skipped', t.skipped),
      cell('Sent', 'sent', t.sent),
      cell('For', 'since', t.since),
      cell('', 'kick', button('Kick', async () => {
        const text = `${session.address} is disconnected. Nothing keeps it from coming back.`;
        if (!await confirm({ title: 'Kick this viewer?', text, action: 'Kick viewer' })) return;
        if (await attempt(() => kick(session.id), 'The viewer is kicked.')) refresh();
      }, { kind: 'small', 'aria-label': `Kick viewer ${session.address}` })));
  }

  update(session, now) {
    say(this.#texts.lag, session.lag_seconds > 0 ? seconds(session.lag_seconds) : '0 s');
    say(this.#texts.skipped, session.skipped > 0 ? `${count(session.skipped)} (${count(session.skips)}×)` : 'none');
    say(this.#texts.sent, bytes(session.bytes_out));
    say(this.#texts.since, since(session.started, now));
  }
}

export class Viewers {
  #channel = '';
  #timer;
  #rows = new Map();
  #table = table('Viewers', 'viewers', [
    { title: 'Viewer' }, { title: 'Lag' }, { title: 'Dropped' }, { title: 'Sent' }, { title: 'For' }, { title: 'Actions', hidden: true },
  ]);
  #note = h('p', { class: 'none' });
  element = h('div', {}, this.#table.element, this.#note);

  // follow shows those of a channel until it is stopped.
  follow(channel) {
    this.stop();
    this.#channel = channel;
    this.#draw([], 0, 'Loading');
    this.#refresh();
    this.#timer = setInterval(() => this.#refresh(), every);
  }

  stop() {
    clearInterval(this.#timer);
    this.#channel = '';
  }

  async #refresh() {
    const channel = this.#channel;
    try {
      const { sessions, total } = await getSessions(channel, asked);
      if (channel !== this.#channel) return;
      const viewers = sessions.filter((session) => session.kind === 'player');
      viewers.sort((a, b) => b.lag_seconds - a.lag_seconds || b.skipped - a.skipped);
      this.#draw(viewers, total - sessions.length, 'Nobody watches.');
    } catch (error) {
      if (channel === this.#channel) this.#draw([], 0, error.message);
    }
  }

  // draw shows the viewers, of whom more were not asked for.
  #draw(viewers, more, none) {
    const now = Date.now();
    const known = this.#rows;
    this.#rows = new Map(viewers.slice(0, shown).map((session) => [session.id, known.get(session.id) ?? new Row(session, () => this.#refresh())]));
    for (const session of viewers.slice(0, shown)) this.#rows.get(session.id).update(session, now);
    arrange(this.#table.body, [...this.#rows.values()].map((one) => one.element));
    show(this.#table.element, this.#rows.size > 0);
    const left = viewers.length - this.#rows.size + more;
    show(this.#note, left > 0 || this.#rows.size === 0);
    say(this.#note, left > 0 ? `And ${plural(left, 'viewer')} more.` : none);
  }
}
