// A line that shows how a number came to be what it is.
import { s } from './dom.js';

const [width, height, margin] = [180, 40, 2];

// shortest is over how many values a line is at least: the first few are no trend.
const shortest = 30;

export class Sparkline {
  #line = s('path', { class: 'spark-line' });
  #area = s('path', { class: 'spark-area' });
  element;

  // kind is which colour it has. The number itself stands beside it as text.
  constructor(kind) {
    this.element = s('svg', {
      class: `spark spark-${kind}`, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true', focusable: 'false',
    }, this.#area, this.#line);
  }

  // draw shows a series whose last value is the present one, above nought.
  draw(series) {
    const top = Math.max(...series, 1);
    const length = Math.max(series.length, shortest);
    const x = (i) => (width * (length - series.length + i)) / (length - 1);
    const y = (value) => height - margin - ((height - 2 * margin) * value) / top;
    const points = series.map((value, i) => `${x(i).toFixed(1)} ${y(value).toFixed(1)}`);
    const line = points.length > 1 ? `M${points.join('L')}` : '';
    this.#line.setAttribute('d', line);
    this.#area.setAttribute('d', line && `${line}V${height}H${x(0).toFixed(1)}Z`);
  }
}
