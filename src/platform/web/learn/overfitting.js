// Chapter 5: the curves of real training runs.

import { byId, create, word } from "../dom.js";
import { Plot } from "./plot.js";
import { number, onColours, read, showValue, whenSeen } from "./view.js";

/** Made by models/train_overfitting.sh: share of the data in %, dropout, pass, and both errors in years. */
const RUNS = "/learn/overfitting.csv";
const FACES = 15189;

export function start() {
  const [share, passes, dropout] = [byId("overfitting-share"), byId("overfitting-passes"), byId("overfitting-dropout")];
  const plot = new Plot(byId("overfitting-chart"), {
    x: { from: 0, to: 60, title: word("learn-script-overfitting-x"), ticks: [0, 20, 40, 60] },
    y: { from: 0, to: 20, title: word("learn-script-overfitting-y"), ticks: [0, 5, 10, 15, 20] },
    height: 260,
  });
  let runs = [];
  let shares = [];

  async function load() {
    const [, ...lines] = (await (await fetch(RUNS)).text()).trim().split("\n");
    runs = lines.map((line) => {
      const [of, rate, pass, train, val] = line.split(",").map(Number);
      return { of, dropout: rate > 0, pass, train, val };
    });
    shares = [...new Set(runs.map(({ of }) => of))];
    share.max = shares.length - 1;
    table();
    change();
  }

  const run = (of, withDropout) => runs.filter((row) => row.of === of && row.dropout === withDropout);

  /** Another share: the slider of passes ends with its run. */
  function change() {
    if (!runs.length) return;
    const of = shares[share.value];
    // Not every share was also trained with dropout.
    dropout.disabled = !run(of, true).length;
    dropout.checked &&= !dropout.disabled;
    const rows = run(of, dropout.checked);
    const wasLast = passes.value === passes.max;
    passes.max = rows.at(-1).pass;
    if (wasLast) passes.value = passes.max;
    const step = Math.ceil(passes.max / 6 / 5) * 5 || 1;
    const ticks = [0];
    while (ticks.at(-1) + (passes.max > 10 ? step : 2) <= passes.max) ticks.push(ticks.at(-1) + (passes.max > 10 ? step : 2));
    Object.assign(plot.x, { to: Number(passes.max), ticks });
    draw();
  }

  function draw() {
    const of = shares[share.value];
    const rows = run(of, dropout.checked);
    if (!rows.length) return;
    // The runs were tested after some of the passes only: the last test until then counts.
    const past = rows.filter((row) => row.pass <= passes.value);
    const now = past.at(-1) ?? rows[0];
    const line = (some, key) => some.map((row) => [row.pass, row[key]]);
    const values = {
      faces: number(Math.floor((FACES * of) / 100)),
      passes: number(now.pass),
      train: number(now.train, 1),
      val: number(now.val, 1),
      gap: number(now.val - now.train, 1),
    };
    const text = word("learn-script-overfitting", values);
    const other = run(of, !dropout.checked);
    plot.draw([
      { kind: "line", points: line(other, "val"), name: "ghost" },
      { kind: "line", points: line(rows, "train"), name: "faint" },
      { kind: "line", points: line(rows, "val"), name: "second faint" },
      { kind: "line", points: line(past, "train") },
      { kind: "line", points: line(past, "val"), name: "second" },
      { kind: "dots", points: [[now.pass, now.train]], radius: 6 },
      { kind: "dots", points: [[now.pass, now.val]], name: "second", radius: 6 },
    ], text);
    showValue(share, `${number(of)} %`);
    showValue(passes, number(now.pass));
    byId("overfitting-chart").dataset.gap = (now.val - now.train).toFixed(2);
    read(byId("overfitting-reading"), text);
  }

  /** All runs' last figures as a table, for those who cannot see the chart. */
  function table() {
    const head = ["share", "dropout", "passes", "learnt", "new"].map((name) => create("th", { scope: "col" }, word(COLUMNS[name])));
    const rows = shares.flatMap((of) => [false, true].map((withDropout) => {
      const last = run(of, withDropout).at(-1);
      if (!last) return "";
      const cells = [`${number(of)} %`, word(withDropout ? "learn-script-yes" : "learn-script-no"), number(last.pass), number(last.train, 1), number(last.val, 1)];
      return create("tr", {}, ...cells.map((cell) => create("td", {}, cell)));
    }));
    byId("overfitting-table").append(create("table", { className: "figures" }, create("thead", {}, create("tr", {}, ...head)), create("tbody", {}, ...rows)));
  }

  for (const input of [share, dropout]) input.addEventListener("input", change);
  passes.addEventListener("input", draw);
  onColours(draw);
  whenSeen(byId("overfitting"), load);
}

const COLUMNS = {
  share: "learn-script-column-share",
  dropout: "learn-script-column-dropout",
  passes: "learn-script-overfitting-x",
  learnt: "learn-script-column-learnt",
  new: "learn-script-column-new",
};
