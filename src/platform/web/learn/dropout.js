// Chapter 6: the network's last features, some of them switched off, and the guess that is left.

import { byId, word } from "../dom.js";
import { AgeChart } from "./ages.js";
import { cut, onFace } from "./face.js";
import { ask, latest } from "./probe.js";
import { colour, number, onColours, onSize, read, sharp, showValue, whenSeen } from "./view.js";

/** How many random sets of features are switched off for one setting. */
const DRAWS = 16;

export function start() {
  const [canvas, count, strongest] = [byId("dropout-votes"), byId("dropout-count"), byId("dropout-strongest")];
  const chart = new AgeChart(byId("dropout-chart"));
  const reading = byId("dropout-reading");
  let seen = false;
  let crop = null;
  let whole = null;
  let off = new Set();
  let seed = 1;

  const update = latest(async () => {
    const lots = { off: count.value, draws: DRAWS, seed, strongest: Number(strongest.checked) };
    try {
      whole = await ask(crop, lots);
      count.max = Math.floor((whole.votes.length * 0.96) / 4) * 4;
      show(whole);
    } catch (error) {
      read(reading, error.message);
    }
  });

  function show({ votes, lot, ages, ...all }) {
    off = new Set(lot.off);
    chart.draw(lot, all, off.size > 0 && ages.length > 1 ? ages : []);
    const values = {
      off: number(off.size),
      all: number(votes.length),
      before: number(all.age, 1),
      age: number(lot.age, 1),
      low: number(Math.min(...ages)),
      high: number(Math.max(...ages)),
      draws: number(ages.length),
    };
    const id = off.size === 0 ? "learn-script-dropout-none"
      : ages.length > 1 ? "learn-script-dropout-lots" : "learn-script-dropout-strongest";
    read(reading, word(id, values));
    showValue(count, word("learn-script-dropout-count", values));
    byId("dropout-chart").dataset.age = lot.age.toFixed(2);
    byId("dropout-chart").dataset.spread = (Math.max(...ages) - Math.min(...ages)).toFixed(2);
    drawVotes();
  }

  /** One square for each feature: the larger, the stronger its vote on the guessed age. */
  function drawVotes() {
    if (!whole) return;
    const { context, width, height } = sharp(canvas);
    const across = width > 500 ? 24 : 16;
    const down = Math.ceil(whole.votes.length / across);
    const cell = Math.min(width / across, height / down);
    const left = (width - across * cell) / 2;
    const limit = Math.max(...whole.votes.map(Math.abs));
    whole.votes.forEach((vote, index) => {
      const x = left + ((index % across) + 0.5) * cell;
      const y = (Math.floor(index / across) + 0.5) * cell;
      const side = Math.max(3, cell * 0.9 * Math.sqrt(Math.abs(vote) / limit));
      if (off.has(index)) {
        context.strokeStyle = colour("--muted");
        context.lineWidth = 1;
        context.strokeRect(x - 2, y - 2, 4, 4);
        return;
      }
      context.fillStyle = colour(vote > 0 ? "--positive" : "--negative");
      context.fillRect(x - side / 2, y - side / 2, side, side);
    });
    const values = { all: number(whole.votes.length), off: number(off.size), age: number(whole.age) };
    canvas.setAttribute("aria-label", word("learn-script-dropout-votes", values));
  }

  function begin() {
    if (seen && crop) update();
  }

  onFace(() => {
    crop = cut();
    whole = null;
    begin();
  });
  whenSeen(byId("dropout"), () => {
    seen = true;
    begin();
  });
  for (const input of [count, strongest]) input.addEventListener("input", begin);
  byId("dropout-again").addEventListener("click", () => {
    seed += 1;
    begin();
  });
  onSize(canvas, drawVotes);
  onColours(drawVotes);
}
