// Shared by the figures: pictures of numbers, colours of the page, and readings that screen readers announce only once.

import { byId, language } from "../dom.js";
import { sheet } from "./face.js";

/** The value of a colour token of the page. */
export const colour = (token) => getComputedStyle(document.documentElement).getPropertyValue(token).trim();

/** Calls `draw` whenever the page's colours change. */
export function onColours(draw) {
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
    matchMedia(query).addEventListener("change", draw);
  }
}

/** A grey picture of `side`×`side` values from 0 to 255, on a canvas that is not shown. */
export function greyPicture(values, side) {
  return pixels(side, (at) => [values[at], values[at], values[at]]);
}

/** A picture of values around 0: orange above, blue below, the page's surface at 0; `limit` is the full colour. */
export function signedPicture(values, side, limit) {
  const [zero, above, below] = ["--sunken", "--positive", "--negative"].map(rgb);
  return pixels(side, (at) => {
    const share = Math.min(1, Math.abs(values[at]) / limit);
    const end = values[at] > 0 ? above : below;
    return zero.map((channel, index) => channel + share * (end[index] - channel));
  });
}

function pixels(side, pick) {
  const context = sheet(side);
  const image = context.createImageData(side, side);
  for (let at = 0; at < side * side; at += 1) {
    const [red, green, blue] = pick(at);
    image.data.set([red, green, blue, 255], 4 * at);
  }
  context.putImageData(image, 0, 0);
  return context.canvas;
}

/** A token's colour as red, green and blue. */
function rgb(token) {
  const context = sheet(1);
  context.fillStyle = colour(token);
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

/** Makes a canvas as sharp as the screen; returns its context, in CSS pixels, and its width and height. */
export function sharp(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

/** Calls `draw` when the size of an element changes, and at once. */
export function onSize(element, draw) {
  // In the next frame: a figure that changes size while it is measured would be measured again at once.
  new ResizeObserver(() => requestAnimationFrame(() => draw())).observe(element);
}

/** Calls `begin` once, when the element comes into view. */
export function whenSeen(element, begin) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    begin();
  }, { rootMargin: "200px" });
  observer.observe(element);
}

const formats = new Map();
/** A number as the page's language writes it. */
export function number(value, digits = 0) {
  if (!formats.has(digits)) {
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    formats.set(digits, new Intl.NumberFormat(language, options));
  }
  // No "-0", and a minus instead of a hyphen.
  return formats.get(digits).format(Number(value.toFixed(digits)) || 0).replace("-", "−");
}

/** As [`number`], with the sign also of positive numbers. */
export const signed = (value, digits = 0) => (Number(value.toFixed(digits)) > 0 ? "+" : "") + number(value, digits);

const PAUSE_MS = 700;
let touched = false;
let waiting = 0;
for (const kind of ["input", "click"]) addEventListener(kind, () => (touched = true), true);

/** Shows a reading; screen readers hear the last one, when the visitor pauses. */
export function read(element, text) {
  if (element.textContent === text) return;
  element.textContent = text;
  if (!touched) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => (byId("status").textContent = text), PAUSE_MS);
}

/** Shows the value of a slider beside its label, and tells it to screen readers as the slider's value. */
export function showValue(input, text) {
  input.setAttribute("aria-valuetext", text);
  // No <output>: the label would be that one's, not the slider's.
  input.closest("label").querySelector(".value").textContent = text;
}
