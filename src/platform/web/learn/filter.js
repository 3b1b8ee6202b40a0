// Chapter 2: a 3×3 filter of the visitor's own, the place where it is, and its map.

import { byId, create, reducedMotion, word } from "../dom.js";
import { SIDE, cut, onFace } from "./face.js";
import { ask } from "./probe.js";
import { colour, greyPicture, number, onColours, onSize, read, sharp, showValue, signed, signedPicture } from "./view.js";

/** Places of the window in each direction. */
const PLACES = SIDE - 2;
/** Rows of the map per frame of the animation. */
const ROWS_PER_FRAME = 2;

const PRESETS = {
  left: [-1, 0, 1, -1, 0, 1, -1, 0, 1],
  upper: [-1, -1, -1, 0, 0, 0, 1, 1, 1],
  spot: [-1, -1, -1, -1, 8, -1, -1, -1, -1],
  blur: [1, 1, 1, 1, 1, 1, 1, 1, 1],
};

export function start() {
  const [across, down] = [byId("filter-x"), byId("filter-y")];
  const [faceCanvas, mapCanvas, relu] = [byId("filter-face"), byId("filter-map"), byId("filter-relu")];
  let weights = [...PRESETS.left];
  let grey = null;
  let map = [];
  /** The rows of the map that the animation has reached. */
  let rows = PLACES;
  let learnt = 0;

  const cells = weights.map((_, index) => {
    const cell = create("button", { type: "button" });
    // Dark, neutral, light, and from the beginning.
    cell.addEventListener("click", () => {
      weights[index] = { "-1": 0, 0: 1, 1: -1 }[weights[index]] ?? 0;
      change();
    });
    return cell;
  });
  byId("filter-cells").append(...cells);

  function showCells() {
    const digits = weights.every(Number.isInteger) ? 0 : 2;
    weights.forEach((weight, index) => {
      const cell = cells[index];
      cell.textContent = signed(weight, digits);
      cell.dataset.sign = Math.sign(weight);
      const [row, column] = [Math.floor(index / 3) + 1, (index % 3) + 1];
      cell.setAttribute("aria-label", word("learn-script-filter-cell", { row, column, weight: cell.textContent }));
    });
  }

  /** The sum of the nine products with the window's upper left pixel at (x, y). */
  function sumAt(x, y) {
    let sum = 0;
    for (let tap = 0; tap < 9; tap += 1) {
      sum += weights[tap] * grey[(y + Math.floor(tap / 3)) * SIDE + x + (tap % 3)];
    }
    return sum;
  }

  function change() {
    showCells();
    if (!grey) return;
    map = new Float32Array(PLACES * PLACES);
    for (let y = 0; y < PLACES; y += 1) for (let x = 0; x < PLACES; x += 1) map[y * PLACES + x] = sumAt(x, y);
    draw();
  }

  function draw() {
    if (!grey) return;
    const [x, y] = [Number(across.value) - 1, Number(down.value) - 1];
    showValue(across, number(x + 1));
    showValue(down, number(y + 1));

    const left = sharp(faceCanvas);
    left.context.imageSmoothingEnabled = false;
    left.context.drawImage(greyPicture(grey, SIDE), 0, 0, left.width, left.width);
    drawWindow(left, SIDE, x, y, 3);

    const right = sharp(mapCanvas);
    right.context.imageSmoothingEnabled = false;
    const limit = map.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const shown = map.map((value, at) => (at >= rows * PLACES ? 0 : relu.checked ? Math.max(0, value) : value));
    right.context.drawImage(signedPicture(shown, PLACES, limit * 0.7), 0, 0, right.width, right.width);
    drawWindow(right, PLACES, x, y, 1);

    const sum = map[y * PLACES + x];
    const kept = relu.checked ? Math.max(0, sum) : sum;
    const values = { sum: number(sum), kept: number(kept) };
    const text = word(relu.checked ? "learn-script-filter-kept" : "learn-script-filter-sum", values);
    read(byId("filter-sum"), text);
    const bright = shown.filter((value) => value > limit / 4).length / shown.length;
    mapCanvas.setAttribute("aria-label", word("learn-script-filter-map", { share: number(100 * bright) }));
  }

  function drawWindow({ context, width }, places, x, y, side) {
    const cell = width / places;
    context.strokeStyle = colour("--accent");
    context.lineWidth = 3;
    context.strokeRect(x * cell - 2, y * cell - 2, side * cell + 4, side * cell + 4);
  }

  /** Fills the map row by row, with the window at the place that is being filled. */
  function slide() {
    rows = reducedMotion() ? PLACES : 0;
    const step = () => {
      rows = Math.min(PLACES, rows + ROWS_PER_FRAME);
      down.value = rows;
      draw();
      if (rows < PLACES) requestAnimationFrame(step);
    };
    step();
  }

  async function chooseLearnt() {
    try {
      const { filters } = await ask(grey);
      weights = filters[learnt % filters.length];
      learnt += 1;
      change();
    } catch (error) {
      read(byId("filter-sum"), error.message);
    }
  }

  onFace(() => {
    grey = cut();
    change();
  });
  byId("filter-presets").addEventListener("click", (event) => {
    const { filter } = event.target.dataset;
    if (filter === "learnt") return chooseLearnt();
    if (filter) weights = [...PRESETS[filter]];
    change();
  });
  for (const input of [across, down, relu]) input.addEventListener("input", draw);
  byId("filter-slide").addEventListener("click", slide);
  onSize(faceCanvas, draw);
  onColours(draw);
  showCells();
}
