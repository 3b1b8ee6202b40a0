// Chapter 4: the data set's faces, dealt into those to learn from and those for the test.

import { byId, word } from "../dom.js";
import { Plot } from "./plot.js";
import { number, onColours, read, showValue } from "./view.js";

/** Faces of UTKFace by age, 0 to 100 (the last with all above). */
const FACES = [
  0, 917, 388, 240, 215, 150, 96, 112, 212, 123, 126, 49, 105, 66, 126, 149, 186, 128, 212, 80, 234, 279, 320, 342, 707,
  575, 1738, 489, 742, 453, 589, 286, 537, 113, 332, 696, 382, 225, 257, 215, 419, 100, 222, 125, 85, 358, 114, 127, 124,
  125, 303, 116, 190, 184, 279, 203, 194, 82, 223, 65, 241, 126, 104, 79, 39, 203, 58, 68, 83, 44, 121, 26, 82, 45, 24,
  111, 48, 23, 55, 19, 106, 16, 29, 12, 18, 130, 31, 9, 27, 25, 69, 2, 10, 4, 0, 6, 12, 0, 0, 8, 25,
];
/** Percent kept for the test, by the slider's place. */
const SHARES = [0.1, 0.5, 1, 5, 10, 20, 50];
/** Years per bar. */
const GROUP = 10;

export function start() {
  const [share, sorted, reading] = [byId("split-share"), byId("split-sorted"), byId("split-reading")];
  const ages = FACES.flatMap((count, age) => Array(count).fill(age));
  const plot = new Plot(byId("split-chart"), {
    x: { from: 0, to: 110, title: word("learn-script-age-x"), ticks: [0, 20, 40, 60, 80, 100] },
    y: { from: 0, to: 60, title: word("learn-script-split-y"), ticks: [0, 20, 40, 60] },
  });
  let order = [];

  function shuffle() {
    order = [...ages];
    for (let last = order.length - 1; last > 0; last -= 1) {
      const other = Math.floor(Math.random() * (last + 1));
      [order[last], order[other]] = [order[other], order[last]];
    }
  }

  /** Percent of some faces in each group of ages. */
  function groups(some) {
    const counts = Array(11).fill(0);
    for (const age of some) counts[Math.floor(age / GROUP)] += 1;
    return counts.map((count) => (100 * count) / some.length);
  }

  const mean = (some) => some.reduce((sum, age) => sum + age, 0) / some.length;

  function draw() {
    const percent = SHARES[share.value];
    const count = Math.round((ages.length * percent) / 100);
    const dealt = sorted.checked ? ages : order;
    const [train, test] = [dealt.slice(0, ages.length - count), dealt.slice(ages.length - count)];
    const bars = (some, offset) => groups(some).map((value, group) => [group * GROUP + offset, value]);
    const values = {
      train: number(train.length),
      test: number(test.length),
      trainage: number(mean(train), 1),
      testage: number(mean(test), 1),
    };
    const text = word("learn-script-split", values);
    const top = Math.max(...groups(test), ...groups(train)) > 60 ? 100 : 60;
    Object.assign(plot.y, { to: top, ticks: [0, top / 2, top] });
    plot.draw([
      { kind: "bars", points: bars(train, 0.8), wide: 4.1 },
      { kind: "bars", points: bars(test, 5.1), wide: 4.1, name: "second" },
    ], text);
    showValue(share, `${number(percent, percent < 1 ? 1 : 0)} %`);
    byId("split-chart").dataset.gap = Math.abs(mean(train) - mean(test)).toFixed(2);
    read(reading, text);
  }

  for (const input of [share, sorted]) input.addEventListener("input", draw);
  byId("split-shuffle").addEventListener("click", () => {
    sorted.checked = false;
    shuffle();
    draw();
  });
  onColours(draw);
  shuffle();
  draw();
}
