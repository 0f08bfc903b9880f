// Runs Node-Media-Server for the comparison: RTMP alone, no log but errors.
// Arguments: port, directory for its store.
const NodeMediaServer = require("node-media-server");
const logger = require("node-media-server/src/core/logger.js");

const [port, directory] = process.argv.slice(2);
const server = new NodeMediaServer({
  bind: "127.0.0.1",
  rtmp: { port: Number(port) },
  store: { path: directory },
  record: { auto: false, path: directory },
  auth: { play: false, publish: false },
  webadmin: { enable: false },
  notify: { url: "" },
});
logger.level = "error"; // the constructor sets it to debug
server.run();
