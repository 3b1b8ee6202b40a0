// A small chart: axes with titles, lines, areas, bars and marks, drawn again when its place changes size. It is measured
// in units that grow with the page's text.

import { createSvg } from "../dom.js";
import { number, onSize } from "./view.js";

const LEFT = 44;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 42;

export class Plot {
  /** `x` and `y`: { from, to, title, ticks } with ticks as values; `wordX` writes a tick of the x axis. */
  constructor(host, { x, y, height = 210, wordX = (value) => number(value) }) {
    Object.assign(this, { x, y, height, wordX, layers: [], width: 0, unit: 1 });
    this.svg = createSvg("svg", { class: "chart", role: "img", height, "aria-label": `${y.title} – ${x.title}` });
    host.append(this.svg);
    onSize(host, () => {
      this.unit = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
      this.width = host.clientWidth / this.unit;
      this.render();
    });
  }

  /** Places a value on the drawing. */
  atX(value) {
    return LEFT + ((value - this.x.from) / (this.x.to - this.x.from)) * (this.width - LEFT - RIGHT);
  }

  atY(value) {
    return this.height - BOTTOM - ((value - this.y.from) / (this.y.to - this.y.from)) * (this.height - TOP - BOTTOM);
  }

  /** The values at a place on the drawing, in pixels from its corner. */
  valueAt(left, top) {
    const x = (left / this.unit - LEFT) / (this.width - LEFT - RIGHT);
    const y = (this.height - BOTTOM - top / this.unit) / (this.height - TOP - BOTTOM);
    return [this.x.from + x * (this.x.to - this.x.from), this.y.from + y * (this.y.to - this.y.from)];
  }

  /**
   * Draws `layers`, each { kind, points, name } with kind "line", "area", "bars" (`wide` in units of x), "dots" (`radius`)
   * or "rule" (a vertical line; its points are values of x); `name` is a CSS class. `label` describes the chart in words.
   */
  draw(layers, label) {
    this.layers = layers;
    this.svg.setAttribute("aria-label", label);
    this.render();
  }

  render() {
    if (this.width < 80) return;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.replaceChildren(...this.axes(), ...this.layers.flatMap((layer) => this.shapes(layer)));
  }

  axes() {
    const text = (content, attributes) => createSvg("text", attributes, content);
    const bottom = this.height - BOTTOM;
    const parts = [];
    for (const tick of this.y.ticks) {
      const y = this.atY(tick);
      parts.push(createSvg("line", { class: "grid", x1: LEFT, x2: this.width - RIGHT, y1: y, y2: y }));
      parts.push(text(number(tick), { x: LEFT - 6, y: y + 4, "text-anchor": "end" }));
    }
    for (const tick of this.x.ticks) {
      const anchor = tick === this.x.to ? "end" : "middle";
      parts.push(text(this.wordX(tick), { x: this.atX(tick) + (anchor === "end" ? RIGHT : 0), y: bottom + 17, "text-anchor": anchor }));
    }
    parts.push(createSvg("line", { class: "axis", x1: LEFT, x2: this.width - RIGHT, y1: bottom, y2: bottom }));
    parts.push(text(this.x.title, { x: (LEFT + this.width) / 2, y: this.height - 7, "text-anchor": "middle" }));
    const middle = (TOP + bottom) / 2;
    parts.push(text(this.y.title, { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }));
    return parts;
  }

  shapes({ kind, points, name = "", wide = 1, radius = 4 }) {
    const place = ([x, y]) => [this.atX(x), this.atY(Math.min(this.y.to, Math.max(this.y.from, y)))];
    const path = (places) => places.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    const base = this.atY(this.y.from);
    switch (kind) {
      case "rule":
        return points.map((x) => createSvg("line", { class: `rule ${name}`, x1: this.atX(x), x2: this.atX(x), y1: TOP, y2: base }));
      case "dots":
        return points.map((point) => {
          const [cx, cy] = place(point);
          return createSvg("circle", { class: `marker ${name}`, cx, cy, r: radius });
        });
      case "bars":
        return points.map(([x, y]) => {
          const [left, top] = place([x, y]);
          const width = Math.max(1, this.atX(x + wide) - left);
          return createSvg("rect", { class: `area ${name}`, x: left, y: top, width, height: Math.max(0, base - top) });
        });
      case "area": {
        if (!points.length) return [];
        const places = points.map(place);
        const closed = `${path(places)}L${places.at(-1)[0]} ${base}L${places[0][0]} ${base}Z`;
        return [createSvg("path", { class: `area ${name}`, d: closed })];
      }
      default:
        return points.length ? [createSvg("path", { class: `line ${name}`, d: path(points.map(place)) })] : [];
    }
  }
}
