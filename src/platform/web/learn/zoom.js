// Chapter 1: one slider from the photo to the numbers.

import { byId, word } from "../dom.js";
import { SIDE, cut, cutColour, onFace, sheet } from "./face.js";
import { colour, greyPicture, number, onColours, onSize, read, sharp, showValue } from "./view.js";

/** Where the slider passes from the photo to the crop in colour, to grey, and to the first numbers. */
const CROP = 25;
const GREY = 40;
/** Pixels across at the end of the slider; up to twice as many are shown with their numbers. */
const CLOSEST = 6;
const NUMBERED = 13;
/** An eye, in pixels of the crop. */
const TARGET = [37, 42];

export function start() {
  const [canvas, slider, reading] = [byId("zoom-picture"), byId("zoom"), byId("zoom-reading")];
  let face = null;
  let grey = null;
  let pictures = {};

  function draw() {
    if (!face) return;
    const { context, width } = sharp(canvas);
    const at = Number(slider.value);
    context.imageSmoothingEnabled = at < CROP;
    const caption = at < GREY ? drawPhoto(context, width, at) : drawPixels(context, width, at);
    canvas.setAttribute("aria-label", caption);
    showValue(slider, `${number(at)} %`);
    slider.setAttribute("aria-valuetext", caption);
    read(reading, caption);
  }

  /** The photo with the square, growing and turning until the square fills the picture. */
  function drawPhoto(context, width, at) {
    if (at >= CROP) {
      context.drawImage(pictures.colour, 0, 0, width, width);
      return word("learn-script-zoom-colour", { count: number(3 * SIDE * SIDE) });
    }
    const share = at / CROP;
    const shown = 1.5 + share * (1 - 1.5);
    const { roll } = face.frame;
    const across = pictures.stage.width;
    const side = across / 3;
    context.save();
    context.translate(width / 2, width / 2);
    context.rotate(-roll * share);
    context.scale(width / shown / side, width / shown / side);
    context.drawImage(pictures.stage, -across / 2, -across / 2);
    context.rotate(roll);
    context.strokeStyle = colour("--accent");
    context.lineWidth = (3 * shown * side) / width;
    context.strokeRect(-side / 2, -side / 2, side, side);
    context.restore();
    return word("learn-script-zoom-photo");
  }

  /** The grey crop, ever closer, and from a few pixels on the numbers. */
  function drawPixels(context, width, at) {
    const share = (at - GREY) / (100 - GREY);
    const across = Math.round(SIDE * (CLOSEST / SIDE) ** share);
    const corner = TARGET.map((middle) => Math.round(Math.min(SIDE - across, Math.max(0, (middle - across / 2) * share))));
    if (share === 1) corner.forEach((_, axis) => (corner[axis] = TARGET[axis] - across / 2));
    context.drawImage(pictures.grey, ...corner, across, across, 0, 0, width, width);
    if (across === SIDE) return word("learn-script-zoom-grey", { count: number(SIDE * SIDE) });
    if (across > NUMBERED) return word("learn-script-zoom-pixels", { side: number(across) });
    const cell = width / across;
    context.font = `600 ${Math.max(9, cell * 0.36)}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let y = 0; y < across; y += 1) {
      for (let x = 0; x < across; x += 1) {
        const value = grey[(corner[1] + y) * SIDE + corner[0] + x];
        context.fillStyle = value > 127 ? "#000" : "#fff";
        context.fillText(value, (x + 0.5) * cell, (y + 0.5) * cell);
      }
    }
    return word("learn-script-zoom-numbers", { side: number(across), first: grey[corner[1] * SIDE + corner[0]] });
  }

  onFace((changed) => {
    face = changed;
    grey = cut();
    const colours = sheet(SIDE);
    colours.putImageData(new ImageData(cutColour(), SIDE), 0, 0);
    pictures = { stage: face.stage, colour: colours.canvas, grey: greyPicture(grey, SIDE) };
    draw();
  });
  slider.addEventListener("input", draw);
  onSize(canvas, draw);
  onColours(draw);
}
