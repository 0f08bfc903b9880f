// Numbers as people read them.

const nothing = '–';

const decimals = (most) => new Intl.NumberFormat('en', { minimumFractionDigits: most, maximumFractionDigits: most });
const formats = [decimals(0), decimals(1), decimals(2)];

// scaled is a number with three digits or so, and its unit.
function scaled(value, units, step) {
  let i = 0;
  while (value >= step && i < units.length - 1) {
    value /= step;
    i++;
  }
  const digits = i === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${formats[digits].format(value)} ${units[i]}`;
}

export const count = (n) => formats[0].format(n);
export const bitrate = (bits) => scaled(bits / 1000, ['kbit/s', 'Mbit/s', 'Gbit/s'], 1000);
export const bytes = (n) => scaled(n, ['B', 'kB', 'MB', 'GB', 'TB', 'PB'], 1000);

// seconds is a short time, of which parts of a second matter.
export function seconds(value) {
  if (!(value > 0)) return nothing;
  return value < 10 ? `${formats[value < 1 ? 2 : 1].format(value)} s` : duration(value);
}

// duration is how long something took, in its two largest units.
export function duration(value) {
  const total = Math.max(0, Math.floor(value));
  const [days, hours, minutes, rest] = [total / 86400, (total / 3600) % 24, (total / 60) % 60, total % 60].map(Math.floor);
  const two = (n) => String(n).padStart(2, '0');
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${two(minutes)} min`;
  if (minutes > 0) return `${minutes} min ${two(rest)} s`;
  return `${rest} s`;
}

const clock = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const day = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' });

// time is when something was: on another day, that is said.
export function time(text) {
  const at = new Date(text);
  const today = at.toDateString() === new Date().toDateString();
  return today ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`;
}

export const since = (text, now) => (text ? duration((now - Date.parse(text)) / 1000) : nothing);

// frames is a number of pictures a second.
export function frames(value) {
  if (!(value > 0)) return nothing;
  return `${formats[value < 10 ? 1 : 0].format(value)} fps`;
}

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

// joined is what is known of several things.
export const joined = (...parts) => parts.filter((part) => part && part !== nothing).join(' · ') || nothing;

// videoOf and audioOf say in a line what a channel's first tracks are, if there are any.
export function videoOf(channel) {
  const track = channel.tracks.find((t) => t.kind === 'video');
  if (!track) return '';
  return joined(track.codec, track.width > 0 && `${track.width}×${track.height}`);
}

export function audioOf(channel) {
  const track = channel.tracks.find((t) => t.kind === 'audio');
  if (!track) return '';
  const rate = track.sample_rate > 0 && `${formats[track.sample_rate % 1000 ? 1 : 0].format(track.sample_rate / 1000)} kHz`;
  const layout = { 1: 'mono', 2: 'stereo' }[track.channels] ?? (track.channels > 0 && `${track.channels} channels`);
  return joined(track.codec, rate, layout);
}

export const framesOf = (channel) => frames(channel.health.frame_rate
  || channel.tracks.find((t) => t.kind === 'video')?.frame_rate);
