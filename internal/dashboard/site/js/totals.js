// What there is of everything together.
import { byId, h, say } from './dom.js';
import { bitrate, bytes, count, duration, joined, plural } from './format.js';
import { Sparkline } from './sparkline.js';

class Tile {
  #value = h('p', { class: 'tile-value' });
  #note = h('p', { class: 'tile-note' });
  spark;
  element;

  constructor(title, kind) {
    this.spark = kind && new Sparkline(kind);
    this.element = h('div', { class: 'tile' }, h('h2', { class: 'tile-title' }, title), this.#value, this.#note, this.spark?.element);
  }

  say(value, note) {
    say(this.#value, value);
    say(this.#note, note);
  }
}

export class Totals {
  #live = new Tile('Live channels');
  #viewers = new Tile('Viewers', 'viewers');
  #bitrate = new Tile('Incoming', 'bitrate');
  #connections = new Tile('Connections');
  #foot = byId('foot');

  constructor() {
    byId('totals').append(...[this.#live, this.#viewers, this.#bitrate, this.#connections].map((tile) => tile.element));
  }

  update({ status, channels }, history) {
    const { counts, limits, memory } = status;
    const waiting = counts.channels - counts.live;
    const incoming = channels.reduce((sum, channel) => sum + channel.health.bitrate, 0);
    const warned = channels.filter((channel) => channel.health.warnings.length > 0).length;
    const health = warned > 0 ? `${count(warned)} with warnings` : counts.live > 0 ? 'no warnings' : 'nobody publishes';
    this.#live.say(count(counts.live), joined(health, waiting > 0 && `${count(waiting)} waited for`));
    this.#viewers.say(count(counts.players), counts.live > 1 ? `about ${count(counts.players / counts.live)} a channel` : counts.live === 1 ? 'on one channel' : 'nothing to watch');
    this.#bitrate.say(bitrate(incoming), `from ${plural(counts.publishers, 'publisher')}`);
    this.#connections.say(count(counts.connections), limits.connections > 0 ? `of ${count(limits.connections)}` : 'without a limit');
    this.#viewers.spark.draw(history.totals.viewers);
    this.#bitrate.spark.draw(history.totals.bitrate);
    say(this.#foot, [
      `rtmp-server ${status.version}`.trim(), `up ${duration(status.uptime_seconds)}`, `${bytes(memory.total_bytes)} of memory`,
    ].join(' · '));
  }
}
