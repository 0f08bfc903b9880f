// Walks through the dashboard as somebody would, and tells what there was.
//
//   node walk.mjs WALK URL [ARGUMENT...]
import { audits, login } from './audit.mjs';
import { hostile } from './hostile.mjs';
import { keyboard } from './keyboard.mjs';
import { lost } from './lost.mjs';
import { newcomer } from './newcomer.mjs';
import { reopen } from './reopen.mjs';
import { screenshots } from './screenshots.mjs';
import { viewer } from './viewer.mjs';

const walks = { audits, hostile, keyboard, login, lost, newcomer, reopen, screenshots, viewer };
const [name, ...args] = process.argv.slice(2);
await walks[name](...args);
