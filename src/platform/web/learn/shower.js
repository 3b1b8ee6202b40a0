// Chapter 7: gradient descent with momentum on a curve that can be drawn.

import { byId, create, reducedMotion, word } from "../dom.js";
import { Plot } from "./plot.js";
import { number, onColours, read, showValue } from "./view.js";

/** Degrees Celsius at the ends of the tap, and discomfort from 0 to 10. */
const [COLD, HOT, WORST] = [10, 60, 10];
/** The curve is given at this many temperatures. */
const POINTS = 26;
const STEPS = 80;
/** The water counts as at rest below this many degrees a step, as comfortable below this much discomfort above the best. */
const REST = 0.03;
const COMFORT = 0.25;
/** A place is flat if the discomfort changes by less than `LEVEL` within `NEAR` degrees on one side. */
const [NEAR, LEVEL] = [3, 0.1];
const FRAME_MS = 70;

const at = (index) => COLD + (index / (POINTS - 1)) * (HOT - COLD);
/** A bowl around `middle`; the larger `left` and `right`, the steeper it is there. */
const bowl = (middle, left, right = left) => (t) => ((t - middle) * (t < middle ? left : right)) ** 2;
/** The lowest of some values, with rounded corners. */
const lowest = (...values) => -Math.log(values.reduce((sum, value) => sum + Math.exp(-2 * value), 0)) / 2;
const [best, plateau, hollow] = [bowl(44, 0.28, 0.19), bowl(24, 0.1, 0), bowl(23, 0.19, 0.25)];
const beyond = bowl(44, 0.24, 0.18);
const CURVES = {
  valley: bowl(38, 0.11, 0.13),
  flat: (t) => (t < 44 ? lowest(best(t), 7 + 0.008 * (44 - t) + plateau(t)) : best(t)),
  two: (t) => {
    if (t < 23) return 3.2 + hollow(t);
    return t < 44 ? lowest(3.2 + hollow(t), 0.4 + beyond(t), 4.8) : 0.4 + beyond(t);
  },
};

export function start() {
  const [rate, momentum, begin] = [byId("shower-rate"), byId("shower-momentum"), byId("shower-start")];
  const plot = new Plot(byId("shower-chart"), {
    x: { from: COLD, to: HOT, title: word("learn-script-shower-x"), ticks: [10, 20, 30, 40, 50, 60] },
    y: { from: 0, to: WORST, title: word("learn-script-shower-y"), ticks: [0, 5, 10] },
    height: 260,
  });
  let curve = [];
  /** Temperatures so far, and the last step. */
  let trail = [];
  let velocity = 0;
  let timer = 0;

  const stepSize = () => 0.4 * 10 ** (rate.value / 8);
  const inertia = () => momentum.value / 20;

  const points = Array.from({ length: POINTS }, (_, index) => {
    const input = create("input", { type: "range", min: 0, max: WORST, step: 0.2 });
    input.addEventListener("input", () => {
      curve[index] = Number(input.value);
      restart();
    });
    // Every fifth one suffices by keyboard; the ones between follow.
    return { input, label: create("label", {}, `${number(at(index))} °C `, create("span", { className: "value", ariaHidden: "true" }), input) };
  });
  const handles = points.filter((_, index) => index % 5 === 0);
  byId("shower-points").append(...handles.map(({ label }) => label));
  handles.forEach(({ input }, handle) => input.addEventListener("input", () => bend(handle * 5)));

  /** Joins a point that was moved by its slider to its neighbouring handles. */
  function bend(moved) {
    for (const end of [moved - 5, moved + 5]) {
      if (end < 0 || end >= POINTS) continue;
      for (let index = Math.min(moved, end) + 1; index < Math.max(moved, end); index += 1) {
        const share = (1 - Math.cos((Math.PI * Math.abs(index - moved)) / 5)) / 2;
        curve[index] = curve[moved] + share * (curve[end] - curve[moved]);
      }
    }
    restart();
  }

  /** Discomfort at a temperature: a Catmull-Rom curve through the points. */
  function discomfort(temperature) {
    const place = Math.min(POINTS - 1.001, Math.max(0, ((temperature - COLD) / (HOT - COLD)) * (POINTS - 1)));
    const index = Math.floor(place);
    const t = place - index;
    const [a, b, c, d] = [-1, 0, 1, 2].map((offset) => curve[Math.min(POINTS - 1, Math.max(0, index + offset))]);
    const value = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
    return Math.min(WORST, Math.max(0, value));
  }

  const slope = (temperature) => (discomfort(temperature + 0.05) - discomfort(temperature - 0.05)) / 0.1;
  const least = () => Math.min(...Array.from({ length: 501 }, (_, step) => discomfort(COLD + step / 10)));

  /** One step of gradient descent with momentum (Polyak 1964); the tap stops at its ends. */
  function step() {
    const here = trail.at(-1);
    velocity = inertia() * velocity - stepSize() * slope(here);
    const next = Math.min(HOT, Math.max(COLD, here + velocity));
    if (next !== here + velocity) velocity = 0;
    trail.push(next);
  }

  /** How it went so far: the id of a message. */
  function outcome() {
    if (trail.length < 2) return "learn-script-shower-ready";
    const [here, before] = [trail.at(-1), trail.at(-2)];
    const resting = Math.abs(here - before) < REST && Math.abs(stepSize() * slope(here)) < REST;
    if (resting) {
      if (discomfort(here) - least() < COMFORT) return "learn-script-shower-arrived";
      const isFlat = [-NEAR, NEAR].some((away) => Math.abs(discomfort(here + away) - discomfort(here)) < LEVEL);
      return isFlat ? "learn-script-shower-stalled" : "learn-script-shower-trapped";
    }
    if (trail.length <= STEPS) return "learn-script-shower-moving";
    const turns = trail.slice(-12).filter((t, i, last) => i > 1 && (t - last[i - 1]) * (last[i - 1] - last[i - 2]) < 0);
    return turns.length > 4 ? "learn-script-shower-overshoots" : "learn-script-shower-slow";
  }

  const finished = () => !["learn-script-shower-ready", "learn-script-shower-moving"].includes(outcome());

  function draw() {
    const line = Array.from({ length: 201 }, (_, index) => COLD + (index / 200) * (HOT - COLD)).map((t) => [t, discomfort(t)]);
    const places = trail.map((t) => [t, discomfort(t)]);
    const here = places.at(-1);
    const values = { steps: number(trail.length - 1), degrees: number(here[0], 1), discomfort: number(here[1], 1) };
    const text = `${word("learn-script-shower-here", values)} ${word(outcome())}`;
    plot.draw([
      { kind: "line", points: line },
      { kind: "line", points: places, name: "second thin" },
      { kind: "dots", points: places.slice(0, -1), name: "second", radius: 3 },
      { kind: "dots", points: [here], name: "here", radius: 8 },
    ], text);
    byId("shower-chart").dataset.outcome = outcome().split("-").at(-1);
    byId("shower-chart").dataset.steps = trail.length - 1;
    read(byId("shower-reading"), text);
    showValue(rate, number(stepSize(), 2));
    showValue(momentum, number(inertia(), 2));
    showValue(begin, `${number(Number(begin.value))} °C`);
    for (const [index, { input }] of points.entries()) {
      if (index % 5) continue;
      input.value = curve[index];
      showValue(input, number(curve[index], 1));
    }
  }

  function restart() {
    clearInterval(timer);
    trail = [Number(begin.value)];
    velocity = 0;
    draw();
  }

  function run() {
    if (finished()) restart();
    clearInterval(timer);
    if (reducedMotion()) {
      while (!finished()) step();
      draw();
      return;
    }
    timer = setInterval(() => {
      if (finished()) return clearInterval(timer);
      step();
      draw();
    }, FRAME_MS);
  }

  function choose(name) {
    curve = Array.from({ length: POINTS }, (_, index) => Math.min(WORST, Math.max(0, CURVES[name](at(index)))));
    restart();
  }

  // Drawing with mouse, pen or finger; sideways gestures draw, the page still scrolls up and down.
  const svg = plot.svg;
  let last = null;
  function drawTo(event) {
    const box = svg.getBoundingClientRect();
    const [temperature, value] = plot.valueAt(event.clientX - box.left, event.clientY - box.top);
    const place = ((temperature - COLD) / (HOT - COLD)) * (POINTS - 1);
    const index = Math.round(place);
    if (index < 0 || index >= POINTS) return;
    const from = last ?? index;
    const [low, high] = [Math.min(from, index), Math.max(from, index)];
    const before = curve[from];
    const height = Math.min(WORST, Math.max(0, value));
    for (let between = low; between <= high; between += 1) {
      const share = from === index ? 1 : (between - from) / (index - from);
      curve[between] = last === null ? height : before + share * (height - before);
    }
    last = index;
    restart();
  }
  svg.addEventListener("pointerdown", (event) => {
    svg.setPointerCapture(event.pointerId);
    last = null;
    drawTo(event);
  });
  svg.addEventListener("pointermove", (event) => {
    if (svg.hasPointerCapture(event.pointerId)) drawTo(event);
  });

  byId("shower-run").addEventListener("click", run);
  byId("shower-step").addEventListener("click", () => {
    clearInterval(timer);
    step();
    draw();
  });
  byId("shower-back").addEventListener("click", restart);
  byId("shower-curves").addEventListener("click", (event) => {
    if (event.target.dataset.curve) choose(event.target.dataset.curve);
  });
  begin.addEventListener("input", restart);
  for (const input of [rate, momentum]) input.addEventListener("input", restart);
  onColours(draw);
  choose("valley");
}
