// What was, for as long as the page is open: the server keeps no history.

// kept is how many states are remembered, one a second.
const kept = 180;

export class History {
  #channels = new Map();
  #totals = { bitrate: [], viewers: [] };

  // add takes note of a state.
  add({ status, channels }) {
    let total = 0;
    const there = new Set();
    for (const channel of channels) {
      there.add(channel.name);
      total += channel.health.bitrate;
      const series = this.of(channel.name);
      push(series.bitrate, channel.health.bitrate);
      push(series.viewers, channel.viewers);
    }
    for (const name of this.#channels.keys()) if (!there.has(name)) this.#channels.delete(name);
    push(this.#totals.bitrate, total);
    push(this.#totals.viewers, status.counts.players);
  }

  // of is the history of a channel, and totals that of all.
  of(name) {
    if (!this.#channels.has(name)) this.#channels.set(name, { bitrate: [], viewers: [] });
    return this.#channels.get(name);
  }

  get totals() { return this.#totals; }
}

function push(series, value) {
  series.push(value);
  if (series.length > kept) series.shift();
}
