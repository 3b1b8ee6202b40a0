// The curve of the 101 ages, for the chapters whose guess moves.

import { word } from "../dom.js";
import { Plot } from "./plot.js";
import { number } from "./view.js";

const AGES = 101;

/** An age distribution as points: percent by year. */
const curve = (probabilities) => probabilities.map((p, age) => [age, 100 * p]);

export class AgeChart {
  constructor(host) {
    this.plot = new Plot(host, {
      x: { from: 0, to: AGES - 1, title: word("learn-script-age-x"), ticks: [0, 20, 40, 60, 80, 100] },
      y: { from: 0, to: 10, title: word("learn-script-age-y"), ticks: [0, 5, 10] },
      height: 230,
    });
    this.peak = 0;
  }

  /** Shows a guess over an earlier one, and `dots`, further ages. */
  draw(guess, before, dots = []) {
    // The scale grows with the highest curve, in steps, so that it does not jump at every move.
    const peak = 100 * Math.max(...guess.probabilities, ...before.probabilities);
    const top = peak > 40 ? 100 : peak > 20 ? 40 : peak > 10 ? 20 : 10;
    Object.assign(this.plot.y, { to: top, ticks: [0, top / 2, top] });
    this.plot.draw([
      { kind: "area", points: curve(guess.probabilities) },
      { kind: "line", points: curve(before.probabilities), name: "ghost" },
      { kind: "line", points: curve(guess.probabilities) },
      { kind: "rule", points: [before.age], name: "ghost" },
      { kind: "rule", points: [guess.age] },
      { kind: "dots", points: dots.map((age, index) => [age, (top * (1.2 + (index % 3))) / 24]), name: "second", radius: 4 },
    ], this.describe(guess, before));
  }

  describe(guess, before) {
    const values = { age: number(guess.age), low: number(guess.low), high: number(guess.high), before: number(before.age) };
    return word("learn-script-age-guess", values);
  }
}
