// Icons, of strokes on a field of 24 by 24. They say nothing that the text beside
// them, or the label of their button, does not.
import { s } from './dom.js';

const strokes = {
  alert: ['M12 4 2.8 19.5h18.4L12 4Z', 'M12 10v4.5', 'M12 17.2v.1'],
  antenna: ['M12 13v8', 'M8.5 8.5a5 5 0 0 1 7 0', 'M5.6 5.6a9 9 0 0 1 12.8 0', 'M12 12v.1'],
  auto: ['M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z', 'M12 3v18', 'M12 8h6.5', 'M12 13h8.5', 'M12 18h5'],
  check: ['m5 12.5 4.5 4.5L19 7.5'],
  chevron: ['m9 5 7 7-7 7'],
  close: ['m6 6 12 12', 'M18 6 6 18'],
  copy: ['M9 9h11v11H9z', 'M5 15H4V4h11v1'],
  dark: ['M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5Z'],
  full: ['M4 9V4h5', 'M15 4h5v5', 'M20 15v5h-5', 'M9 20H4v-5'],
  leave: ['M14 4H5v16h9', 'M10 12h11', 'm17 8 4 4-4 4'],
  light: ['M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Z', 'M12 2.5v2', 'M12 19.5v2', 'M2.5 12h2', 'M19.5 12h2', 'm5.3 5.3 1.4 1.4', 'm17.3 17.3 1.4 1.4', 'm5.3 18.7 1.4-1.4', 'm17.3 6.7 1.4-1.4'],
  loud: ['M4 9.5v5h3.5L12 19V5L7.5 9.5H4Z', 'M15.5 9a4.2 4.2 0 0 1 0 6', 'M18.3 6.2a8.2 8.2 0 0 1 0 11.6'],
  muted: ['M4 9.5v5h3.5L12 19V5L7.5 9.5H4Z', 'm16 9.5 5 5', 'm21 9.5-5 5'],
  play: ['M7 4.5v15l12.5-7.5L7 4.5Z'],
  search: ['M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Z', 'm15.5 15.5 5 5'],
  stop: ['M6 6h12v12H6z'],
};

export function icon(name) {
  return s('svg', { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' },
    ...strokes[name].map((d) => s('path', { d })));
}
