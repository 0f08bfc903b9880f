// The channels: a row for each.
import { arrange, byId, h, say, show } from './dom.js';
import { button } from './controls.js';
import { icon } from './icons.js';
import { audioOf, bitrate, count, framesOf, joined, plural, seconds, since, videoOf } from './format.js';
import { Badge, healthOf, stateOf } from './health.js';
import { Sparkline } from './sparkline.js';
import { cell, quiet, row, strong, table } from './table.js';
import { instructions } from './publish.js';

// shownAtOnce is how many rows are drawn each second unless more are asked for, and
// searchedFrom how many channels are worth a field to search them.
const [shownAtOnce, searchedFrom] = [100, 7];

class Row {
  #state = new Badge();
  #health = new Badge();
  #bitrate = new Sparkline('bitrate');
  #viewers = new Sparkline('viewers');
  #texts = Object.fromEntries(['who', 'media', 'sound', 'bitrate', 'viewers', 'keyframes', 'uptime'].map((name) => [name, h('span')]));
  element;

  constructor(name, open) {
    const t = this.#texts;
    this.element = row(
      cell('Channel', 'name', h('button', { type: 'button', class: 'row-open', 'aria-haspopup': 'dialog', onclick: () => open(name) }, name), quiet(t.who)),
      cell('State', 'state', this.#state.element),
      cell('Media', 'media', strong(t.media), quiet(t.sound)),
      cell('Bitrate', 'bitrate', strong(t.bitrate), this.#bitrate.element),
      cell('Viewers', 'viewers', strong(t.viewers), this.#viewers.element),
      cell('Keyframes', 'keyframes', t.keyframes),
      cell('Uptime', 'uptime', t.uptime),
      cell('Health', 'health', this.#health.element),
      cell('', 'more', icon('chevron')));
  }

  update(channel, series, now) {
    const picture = videoOf(channel) && joined(videoOf(channel), framesOf(channel));
    const texts = {
      who: channel.live ? joined(channel.client, channel.publisher) : 'Nobody publishes',
      media: picture || audioOf(channel) || '–',
      sound: picture && audioOf(channel),
      bitrate: channel.live ? bitrate(channel.health.bitrate) : '–',
      viewers: count(channel.viewers),
      keyframes: seconds(channel.health.keyframe_interval_seconds),
      uptime: since(channel.started, now),
    };
    for (const [name, text] of Object.entries(texts)) say(this.#texts[name], text);
    this.#state.say(stateOf(channel));
    this.#health.say(healthOf(channel));
    this.#bitrate.draw(channel.live ? series.bitrate : []);
    this.#viewers.draw(series.viewers);
  }
}

export class Channels {
  #rows = new Map();
  #open;
  #limit = shownAtOnce;
  #table = table('Channels', 'channels', [
    { title: 'Channel' }, { title: 'State' }, { title: 'Media' }, { title: 'Bitrate' }, { title: 'Viewers' },
    { title: 'Keyframes' }, { title: 'Uptime' }, { title: 'Health' }, { title: 'Details', hidden: true },
  ]);
  #search = h('input', { class: 'input', type: 'search', placeholder: 'Search', 'aria-label': 'Search channels' });
  #searchBox = h('div', { class: 'search' }, icon('search'), this.#search);
  #none = h('p', { class: 'none' });
  #more = button('', () => { this.#limit += shownAtOnce; }, { kind: 'more' });
  #empty;

  // open is called with the name of a channel that somebody wants to see.
  constructor(open) {
    this.#open = open;
    byId('channels-tools').append(this.#searchBox);
    byId('channels-body').append(this.#table.element, this.#none, this.#more);
    for (const element of [this.#table.element, this.#searchBox, this.#none, this.#more]) show(element, false);
  }

  update({ status, channels, total }, history, now) {
    this.#welcome(total === 0, status.endpoints);
    show(this.#searchBox, total >= searchedFrom || this.#search.value !== '');
    const wanted = this.#search.value.trim().toLowerCase();
    const found = channels.filter((channel) => `${channel.name} ${channel.client} ${channel.publisher}`.toLowerCase().includes(wanted));
    found.sort((a, b) => b.live - a.live); // and by name, as they come
    const shown = found.slice(0, this.#limit);
    const rows = shown.map((channel) => this.#row(channel.name));
    shown.forEach((channel, i) => rows[i].update(channel, history.of(channel.name), now));
    arrange(this.#table.body, rows.map((one) => one.element));
    const there = new Set(channels.map((channel) => channel.name));
    for (const name of this.#rows.keys()) if (!there.has(name)) this.#rows.delete(name);

    show(this.#table.element, shown.length > 0);
    show(this.#none, total > 0 && found.length === 0);
    say(this.#none, 'No channel is like that.');
    const left = found.length - shown.length;
    show(this.#more, left > 0);
    say(this.#more, `Show more: ${plural(left, 'channel')} left`);
  }

  #row(name) {
    if (!this.#rows.has(name)) this.#rows.set(name, new Row(name, this.#open));
    return this.#rows.get(name);
  }

  // welcome is there as long as nothing is live.
  #welcome(wanted, endpoints) {
    if (!wanted) {
      this.#empty?.remove();
      this.#empty = null;
    } else if (!this.#empty) {
      this.#empty = h('div', { class: 'welcome' },
        h('div', { class: 'welcome-head' }, icon('antenna'),
          h('h3', {}, 'Nothing is live yet'),
          h('p', { class: 'quiet' }, 'Publish a stream, and it is here a second later.')),
        instructions(endpoints));
      byId('channels-body').append(this.#empty);
    }
  }
}
