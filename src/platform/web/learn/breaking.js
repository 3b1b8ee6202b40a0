// Chapter 8: the same face under other light, blurred, tilted, framed differently, behind glasses; and the guesses.

import { byId, word } from "../dom.js";
import { AgeChart } from "./ages.js";
import { SIDE, cut, onFace } from "./face.js";
import { ask, latest } from "./probe.js";
import { greyPicture, number, onColours, onSize, read, sharp, showValue, signed, whenSeen } from "./view.js";

/** The eyes in a crop, as shares of its side from its centre. */
const EYES = [[-0.21, -0.2], [0.21, -0.2]];

const CONTROLS = ["light", "side", "blur", "tilt", "zoom", "shift", "glasses"];

export function start() {
  const inputs = Object.fromEntries(CONTROLS.map((name) => [name, byId(`breaking-${name}`)]));
  const value = (name) => Number(inputs[name].value);
  const chart = new AgeChart(byId("breaking-chart"));
  const [canvas, reading] = [byId("breaking-picture"), byId("breaking-reading")];
  let seen = false;
  let hasFace = false;
  let before = null;
  let crop = null;

  /** What each slider says. */
  const says = {
    light: () => (value("light") ? word("learn-script-breaking-stops", { stops: signed(value("light") / 10, 1) }) : "0"),
    side: () => `${signed(value("side") * 10)} %`,
    blur: () => word("learn-script-breaking-pixels", { pixels: number(value("blur") / 10, 1) }),
    tilt: () => `${signed(value("tilt"))}°`,
    zoom: () => `${signed(value("zoom"))} %`,
    shift: () => `${signed(value("shift"))} %`,
    glasses: () => `${number(value("glasses") * 10)} %`,
  };

  /** Glasses as dark as the slider says, in the face's own units. */
  function paintGlasses(context) {
    const tint = value("glasses") / 10;
    if (!tint) return;
    context.lineWidth = 0.018;
    context.strokeStyle = "#181818";
    context.fillStyle = `rgb(15 15 15 / ${tint})`;
    for (const [x, y] of EYES) {
      context.beginPath();
      context.ellipse(x, y + 0.015, 0.155, 0.115, 0, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
    context.beginPath();
    context.moveTo(-0.055, -0.2);
    context.quadraticCurveTo(0, -0.23, 0.055, -0.2);
    context.stroke();
  }

  function changed() {
    const changes = {
      scale: 1 / (1 + value("zoom") / 100),
      right: value("shift") / 100,
      roll: (value("tilt") * Math.PI) / 180,
    };
    return blurred(lit(cut(changes, paintGlasses), 2 ** (value("light") / 10), value("side") / 10), value("blur") / 10);
  }

  const update = latest(async () => {
    crop = changed();
    draw();
    try {
      before ??= await ask(cut());
      const guess = await ask(crop);
      chart.draw(guess, before);
      byId("breaking-chart").dataset.age = guess.age.toFixed(2);
      const values = {
        age: number(guess.age),
        low: number(guess.low),
        high: number(guess.high),
        before: number(before.age),
        change: signed(guess.age - before.age, 1),
      };
      const untouched = CONTROLS.every((name) => value(name) === 0);
      read(reading, word(untouched ? "learn-script-breaking-untouched" : "learn-script-breaking", values));
    } catch (error) {
      read(reading, error.message);
    }
  });

  function draw() {
    if (!crop) return;
    const { context, width } = sharp(canvas);
    context.imageSmoothingEnabled = false;
    context.drawImage(greyPicture(crop, SIDE), 0, 0, width, width);
    canvas.setAttribute("aria-label", word("learn-script-breaking-picture"));
  }

  function begin() {
    for (const name of CONTROLS) showValue(inputs[name], says[name]());
    if (seen && hasFace) update();
  }

  onFace(() => {
    hasFace = true;
    before = null;
    begin();
  });
  whenSeen(byId("breaking"), () => {
    seen = true;
    begin();
  });
  for (const name of CONTROLS) inputs[name].addEventListener("input", begin);
  byId("breaking-reset").addEventListener("click", () => {
    for (const name of CONTROLS) inputs[name].value = 0;
    begin();
  });
  onSize(canvas, draw);
  onColours(draw);
  begin();
}

/** Exposure by a factor, and light from one side; what is too bright is cut off at 255. */
function lit(grey, factor, side) {
  return grey.map((value, at) => {
    const across = ((at % SIDE) + 0.5) / (SIDE / 2) - 1;
    return Math.max(0, Math.min(255, Math.round(value * factor * (1 + 0.9 * side * across))));
  });
}

/** A Gaussian blur of `sigma` pixels; the edge is repeated. */
function blurred(grey, sigma) {
  if (!sigma) return grey;
  const reach = Math.ceil(3 * sigma);
  const kernel = Array.from({ length: 2 * reach + 1 }, (_, at) => Math.exp(-0.5 * ((at - reach) / sigma) ** 2));
  const total = kernel.reduce((sum, weight) => sum + weight, 0);
  const pass = (values, stride) => Float32Array.from({ length: SIDE * SIDE }, (_, at) => {
    const position = Math.floor(at / stride) % SIDE;
    let sum = 0;
    for (let tap = -reach; tap <= reach; tap += 1) {
      const to = Math.min(SIDE - 1, Math.max(0, position + tap));
      sum += kernel[tap + reach] * values[at + (to - position) * stride];
    }
    return sum / total;
  });
  return Uint8Array.from(pass(pass(grey, 1), SIDE), Math.round);
}
