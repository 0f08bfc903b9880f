// Publishes and plays as FFmpeg 8.1 does, whose libraries the package node-av
// carries.
//
//   node ffmpeg8.mjs version
//   node ffmpeg8.mjs publish FILE URL
//   node ffmpeg8.mjs play URL
//
// Publishing copies all streams of the file in real time. Both print one JSON
// object a line: each stream before its first packet, and each packet.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { AVERROR_EOF, AV_LOG_ERROR, AV_PKT_FLAG_KEY, AVMEDIA_TYPE_AUDIO, AVMEDIA_TYPE_VIDEO } from 'node-av/constants';
import { FFmpegError, FormatContext, Log, Packet, avGetCodecName, avRescaleQ, getFFmpegInfo } from 'node-av/lib';

const milliseconds = { num: 1, den: 1000 };
const kinds = new Map([[AVMEDIA_TYPE_AUDIO, 'audio'], [AVMEDIA_TYPE_VIDEO, 'video']]);

const check = (code, operation) => FFmpegError.throwIfError(code, operation);
const digest = (data) => createHash('md5').update(data ?? '').digest('hex');

async function print(object) {
  if (!process.stdout.write(JSON.stringify(object) + '\n')) {
    await once(process.stdout, 'drain');
  }
}

// open reads what a URL or file has, up to the parameters of its streams.
async function open(url) {
  const input = new FormatContext();
  input.allocContext();
  check(await input.openInput(url), `open ${url}`);
  check(await input.findStreamInfo(), 'find the streams');
  return input;
}

// packets yields one packet object again and again, with its stream.
async function* packets(input) {
  const packet = new Packet();
  packet.alloc();
  for (;;) {
    const code = await input.readFrame(packet);
    if (code === AVERROR_EOF) return;
    check(code, 'read');
    yield [packet, input.streams[packet.streamIndex]];
    packet.unref();
  }
}

async function describe(stream, track) {
  const p = stream.codecpar;
  await print({
    stream: stream.index,
    track: `${kinds.get(p.codecType)} ${track}`,
    codec: avGetCodecName(p.codecId),
    width: p.width,
    height: p.height,
    rate: p.sampleRate,
    channels: p.channels,
    header: digest(p.extradata),
  });
}

async function report(packet, timeBase) {
  await print({
    stream: packet.streamIndex,
    dts: Number(avRescaleQ(packet.dts, timeBase, milliseconds)),
    pts: Number(avRescaleQ(packet.pts, timeBase, milliseconds)),
    size: packet.size,
    hash: digest(packet.data),
    key: packet.isKeyframe,
  });
}

async function publish(file, url) {
  const input = await open(file);
  const output = new FormatContext();
  output.allocOutputContext2(null, 'flv', url);
  const tracks = new Map();
  for (const stream of input.streams) {
    const copy = output.newStream();
    check(stream.codecpar.copy(copy.codecpar), 'copy the parameters');
    copy.codecpar.codecTag = 0; // that of the file means nothing here
    const track = tracks.get(stream.codecpar.codecType) ?? 0;
    tracks.set(stream.codecpar.codecType, track + 1);
    await describe(stream, track);
  }
  check(await output.openOutput(), `open ${url}`);
  check(await output.writeHeader(), 'write the header');
  const start = Date.now();
  for await (const [packet, { index, timeBase }] of packets(input)) {
    const due = start + Number(avRescaleQ(packet.dts, timeBase, milliseconds));
    if (due > Date.now()) await sleep(due - Date.now());
    packet.rescaleTs(timeBase, output.streams[index].timeBase);
    await report(packet, output.streams[index].timeBase);
    check(await output.interleavedWriteFrame(packet), 'write');
  }
  check(await output.writeTrailer(), 'write the trailer');
  await output.closeOutput();
}

async function play(url) {
  const input = await open(url);
  const known = new Set();
  for await (const [packet, stream] of packets(input)) {
    if (!known.has(stream.index)) {
      known.add(stream.index);
      await describe(stream, stream.id); // the demuxer's name of a track
    }
    await report(packet, stream.timeBase);
  }
}

Log.setLevel(AV_LOG_ERROR);
const [command, ...args] = process.argv.slice(2);
switch (command) {
  case 'version':
    console.log(getFFmpegInfo().version);
    break;
  case 'publish':
    await publish(...args);
    break;
  case 'play':
    await play(...args);
    break;
  default:
    console.error('usage: ffmpeg8.mjs version | publish FILE URL | play URL');
    process.exit(2);
}
