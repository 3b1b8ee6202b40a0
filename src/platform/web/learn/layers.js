// Chapter 3: the maps of the network's layers on the face, and the votes of its last cells.

import { byId, word } from "../dom.js";
import { SIDE, cut, decoded, explain, onFace } from "./face.js";
import { colour, greyPicture, number, onColours, onSize, read, sharp, showValue, signed, signedPicture, whenSeen } from "./view.js";

export function start() {
  const [canvas, depth, which] = [byId("layers-picture"), byId("layers-depth"), byId("layers-which")];
  const [state, figure, retry] = [byId("layers-state"), byId("layers-figure"), byId("layers-retry")];
  let face = null;
  let seen = false;
  let shown = null;

  async function load() {
    if (!face || !seen) return;
    const { blob } = face;
    retry.hidden = true;
    state.textContent = word("learn-script-layers-loading");
    try {
      const explanation = await explain(blob);
      const { filter, votes, note } = explanation;
      const maps = await Promise.all(filter.strongest.map(({ map }) => decoded(map)));
      if (face.blob !== blob) return;
      const deep = filter.deep.map.map((value) => (255 * value) / Math.max(...filter.deep.map, 1e-6));
      shown = {
        grey: greyPicture(cut(), SIDE),
        maps,
        strongest: filter.strongest,
        deep: greyPicture(deep, filter.deep.map_side),
        channels: filter.deep.channels,
        votes,
      };
      byId("layers-note").textContent = votes.shaky ? `${note} ${word("learn-script-layers-shaky")}` : note;
      which.max = maps.length;
      figure.hidden = false;
      state.textContent = "";
      draw();
    } catch (error) {
      state.textContent = error.message;
      retry.hidden = false;
    }
  }

  const LEVELS = [drawPixels, drawFilter, drawDeep, drawVotes];

  function draw() {
    if (!shown) return;
    const surface = sharp(canvas);
    surface.context.imageSmoothingEnabled = false;
    const text = LEVELS[depth.value](surface);
    const names = ["pixels", "first", "deep", "votes"].map((name) => LEVEL_NAMES[name]);
    showValue(depth, word(names[depth.value]));
    showValue(which, number(Number(which.value)));
    which.closest("label").hidden = depth.value !== "1";
    canvas.setAttribute("aria-label", text);
    canvas.dataset.level = depth.value;
    read(byId("layers-reading"), text);
  }

  function drawPixels({ context, width }) {
    context.drawImage(shown.grey, 0, 0, width, width);
    return word("learn-script-layers-pixels", { count: number(SIDE * SIDE) });
  }

  function drawFilter({ context, width }) {
    const { map_side: side, weights } = shown.strongest[which.value - 1];
    context.drawImage(shown.maps[which.value - 1], 0, 0, width, width);
    // The filter itself in the corner.
    const size = width / 5;
    const limit = Math.max(...weights.map(Math.abs));
    context.drawImage(signedPicture(weights, 3, limit), 8, 8, size, size);
    context.strokeStyle = colour("--accent");
    context.lineWidth = 3;
    context.strokeRect(8, 8, size, size);
    return word("learn-script-layers-first", { number: which.value, side: number(side) });
  }

  function drawDeep({ context, width }) {
    context.drawImage(shown.grey, 0, 0, width, width);
    context.globalAlpha = 0.75;
    context.drawImage(shown.deep, 0, 0, width, width);
    context.globalAlpha = 1;
    return word("learn-script-layers-deep", { channels: number(shown.channels), side: number(shown.deep.width) });
  }

  function drawVotes({ context, width }) {
    const { side, age } = shown.votes;
    context.drawImage(shown.grey, 0, 0, width, width);
    context.globalAlpha = 0.62;
    context.drawImage(signedPicture(age.cells, side, Math.max(...age.cells.map(Math.abs))), 0, 0, width, width);
    context.globalAlpha = 1;
    const cell = width / side;
    context.font = `700 ${Math.max(12, cell / 5)}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 4;
    age.cells.forEach((vote, index) => {
      const place = [((index % side) + 0.5) * cell, (Math.floor(index / side) + 0.5) * cell];
      context.strokeStyle = "#000";
      context.strokeText(signed(vote, 2), ...place);
      context.fillStyle = "#fff";
      context.fillText(signed(vote, 2), ...place);
    });
    const sum = age.cells.reduce((total, vote) => total + vote, 0);
    const values = { year: number(age.year), sum: signed(sum, 2), bias: signed(age.bias, 2), total: signed(age.logit, 2) };
    return word("learn-script-layers-votes", values);
  }

  onFace((changed) => {
    face = changed;
    load();
  });
  whenSeen(byId("layers-panel"), () => {
    seen = true;
    load();
  });
  retry.addEventListener("click", load);
  for (const input of [depth, which]) input.addEventListener("input", draw);
  onSize(canvas, draw);
  onColours(draw);
}

const LEVEL_NAMES = {
  pixels: "learn-script-level-pixels",
  first: "learn-script-level-first",
  deep: "learn-script-level-deep",
  votes: "learn-script-level-votes",
};
