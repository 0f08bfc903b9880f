// How to publish: what to put into OBS, and a line for FFmpeg.
import { h, say } from './dom.js';
import { copyable, iconButton } from './controls.js';

const [usualChannel, usualKey] = ['my-channel', 'my-key'];

// Where clients reach the server, unless the operator gave it a name: where the page
// does. "localhost" is what people know 127.0.0.1 as.
const here = () => (location.hostname === '127.0.0.1' ? 'localhost' : location.hostname);

function address(scheme, host, port, usualPort) {
  return port === 0 ? '' : `${scheme}://${host || here()}${port === usualPort ? '' : `:${port}`}`;
}

// addresses are the URLs of the server, without a slash at the end; those of what it
// does not serve are empty.
export function addresses({ host, rtmp_port: rtmp, rtmps_port: rtmps, http_port: http, https_port: https }) {
  return {
    rtmp: address('rtmp', host, rtmp, 1935),
    rtmps: address('rtmps', host, rtmps, 443),
    http: address('http', host, http, 80),
    https: address('https', host, https, 443),
  };
}

// ffmpegLine needs no file: FFmpeg makes the picture and the sound.
const ffmpegLine = (url) => 'ffmpeg -re -f lavfi -i "testsrc2=size=1280x720:rate=30[out0];sine=frequency=440[out1]" '
  + `-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 60 -c:a aac -f flv ${url}`;

// instructions tell how to publish to the endpoints of a status.
export function instructions(endpoints) {
  const urls = addresses(endpoints);
  const server = copyable('server', '');
  const secure = copyable('server with TLS', '');
  const key = copyable('stream key', usualKey);
  const line = copyable('FFmpeg line', '');
  const channel = h('input', {
    id: 'publish-channel', class: 'input', value: usualChannel, pattern: '[A-Za-z0-9_\\-]+', maxlength: 128, spellcheck: 'false', autocomplete: 'off', oninput: update,
  });
  function update() {
    const name = channel.validity.valid && channel.value || usualChannel;
    say(server.code, `${urls.rtmp}/${name}`);
    say(secure.code, `${urls.rtmps}/${name}`);
    say(line.code, ffmpegLine(`${urls.rtmp}/${name}/${usualKey}`));
  }
  update();
  return h('div', { class: 'publish' },
    h('div', { class: 'publish-part' },
      h('h3', {}, 'OBS Studio'),
      h('p', {}, 'Settings, Stream, Service: Custom…'),
      h('dl', { class: 'fields' },
        h('dt', {}, 'Server'), h('dd', {}, server.element, urls.rtmps && secure.element),
        h('dt', {}, 'Stream key'), h('dd', {}, key.element)),
      h('p', { class: 'quiet' }, 'Under Output, a keyframe interval of 2 s lets viewers start at once.')),
    h('div', { class: 'publish-part' },
      h('h3', {}, 'FFmpeg'),
      h('p', {}, 'A test picture with a tone:'),
      line.element),
    h('p', { class: 'publish-name' },
      h('label', { for: 'publish-channel' }, 'Channel'), channel,
      h('span', { class: 'quiet' }, 'Channel and key are yours to choose, of letters, digits, - and _. Who plays needs the same key.')));
}

// showInstructions shows them above the page.
export function showInstructions(endpoints) {
  const dialog = h('dialog', { class: 'ask ask-wide', 'aria-labelledby': 'publish-title' },
    h('div', { class: 'ask-head' },
      h('h2', { id: 'publish-title' }, 'Publish a stream'),
      iconButton('Close', 'close', () => dialog.close())),
    instructions(endpoints));
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
