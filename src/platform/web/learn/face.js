// The face that the chapters work on, a sample or the visitor's own photo, and the crops that are cut from it.

import { byId, word } from "../dom.js";

/** Side of the network's input in pixels. */
export const SIDE = 128;
/** The square of the face in every sample: centre and side in pixels, clockwise roll in radians. */
const SAMPLE_FRAME = { x: 160, y: 160, side: 200, roll: 0 };
/** Side of the face's square, and of the part of the photo around it, in which crops are cut. */
const STAGE_FACE = 256;
const STAGE = 3 * STAGE_FACE;

let current = null;
const listeners = [];

/** Calls `listener` with the face, now if there is one and after every change. */
export function onFace(listener) {
  listeners.push(listener);
  if (current) listener(current);
}

/** A canvas that is not shown. */
export function sheet(width, height = width) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas.getContext("2d", { willReadFrequently: true });
}

/** The photo around the face at one scale; beyond the photo its edge is repeated, as in the program. */
function stage(picture, frame) {
  const context = sheet(STAGE);
  context.imageSmoothingQuality = "high";
  const scale = STAGE_FACE / frame.side;
  const left = STAGE / 2 - frame.x * scale;
  const top = STAGE / 2 - frame.y * scale;
  context.drawImage(picture, left, top, picture.width * scale, picture.height * scale);
  const clamp = (value) => Math.min(STAGE - 1, Math.max(0, value));
  const [l, t] = [clamp(Math.ceil(left)), clamp(Math.ceil(top))];
  const r = clamp(Math.floor(left + picture.width * scale) - 1);
  const b = clamp(Math.floor(top + picture.height * scale) - 1);
  const canvas = context.canvas;
  if (l > 0) context.drawImage(canvas, l, t, 1, b - t + 1, 0, t, l, b - t + 1);
  if (r < STAGE - 1) context.drawImage(canvas, r, t, 1, b - t + 1, r, t, STAGE - r, b - t + 1);
  if (t > 0) context.drawImage(canvas, 0, t, STAGE, 1, 0, 0, STAGE, t);
  if (b < STAGE - 1) context.drawImage(canvas, 0, b, STAGE, 1, 0, b, STAGE, STAGE - b);
  return canvas;
}

function choose(blob, picture, frame) {
  current = { blob, picture, frame, stage: stage(picture, frame) };
  for (const listener of listeners) listener(current);
}

/**
 * The face as `SIDE`×`SIDE` pixels in colour. `scale` > 1 shows more of the photo, `right` and `down` are shares of the
 * side, `roll` is in radians; `paint(context)` may draw over the face, in units of the face's side from its centre.
 */
export function cutColour({ scale = 1, right = 0, down = 0, roll = 0 } = {}, paint) {
  const context = sheet(SIDE);
  context.imageSmoothingQuality = "high";
  context.translate(SIDE / 2, SIDE / 2);
  context.rotate(-roll);
  context.scale(SIDE / scale, SIDE / scale);
  context.translate(-right, -down);
  context.save();
  context.rotate(-current.frame.roll);
  const side = STAGE / STAGE_FACE;
  context.drawImage(current.stage, -side / 2, -side / 2, side, side);
  context.restore();
  paint?.(context);
  return context.getImageData(0, 0, SIDE, SIDE).data;
}

/** As [`cutColour`], as grey values (ITU-R BT.601). */
export function cut(changes, paint) {
  const colour = cutColour(changes, paint);
  return Uint8Array.from({ length: SIDE * SIDE }, (_, at) =>
    Math.round(0.299 * colour[4 * at] + 0.587 * colour[4 * at + 1] + 0.114 * colour[4 * at + 2]));
}

// --- Choosing the face ---

const state = byId("face-state");

async function chooseSample(name) {
  const blob = await (await fetch(`/learn/${name}.jpg`)).blob();
  choose(blob, await createImageBitmap(blob), SAMPLE_FRAME);
}

/** Shows the visitor's own face, which the server finds. */
async function choosePhoto(file) {
  state.textContent = word("learn-script-face-searching");
  try {
    const explanation = await explain(file);
    choose(file, ...(await located(file, explanation)));
    state.textContent = word("learn-script-face-found");
    byId("face-own").checked = true;
  } catch (error) {
    state.textContent = error.message;
  }
  // The same file may be chosen again.
  byId("face-file").value = "";
}

/** The photo and its face's square; where the browser cannot show the photo (HEIC), the square alone. */
async function located(file, { frame, numbers }) {
  const photo = await createImageBitmap(file).catch(() => null);
  if (photo?.width === numbers.photo_width && photo.height === numbers.photo_height) return [photo, frame];
  const square = await decoded(numbers.original);
  const side = square.naturalWidth;
  return [square, { x: side / 2, y: side / 2, side, roll: 0 }];
}

/** The picture at an address. */
export async function decoded(address) {
  const picture = new Image();
  picture.src = address;
  await picture.decode();
  return picture;
}

const explanations = new WeakMap();

/** The explanation of a photo, once for each. */
export function explain(blob) {
  if (!explanations.has(blob)) {
    const asked = requestExplanation(blob);
    explanations.set(blob, asked);
    asked.catch(() => explanations.delete(blob));
  }
  return explanations.get(blob);
}

async function requestExplanation(blob) {
  const form = new FormData();
  form.append("photo", blob, blob.name ?? "face.jpg");
  let answer;
  try {
    const response = await fetch(`/api/explain?lang=${document.documentElement.lang}`, { method: "POST", body: form });
    answer = await response.json();
  } catch {
    throw new Error(word("learn-script-unreachable"));
  }
  if (!answer.explanation) throw new Error(answer.error ?? answer.text ?? word("learn-script-unreachable"));
  return answer.explanation;
}

export function start() {
  for (const choice of document.querySelectorAll("input[name=face]")) {
    if (choice.id !== "face-own") choice.addEventListener("change", () => chooseSample(choice.value));
  }
  byId("face-file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) choosePhoto(file);
  });
  byId("face-choose").addEventListener("click", () => byId("face-file").click());
  return chooseSample(document.querySelector("input[name=face]:checked").value);
}
