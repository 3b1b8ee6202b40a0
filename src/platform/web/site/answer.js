// Draws the server's answer to a photo in one piece: the picture, the text with a line for each face, the numbers folded
// away, and the buttons.

import { create, createSvg, language, word } from "./dom.js";

/**
 * The elements of an answer. `heading` names the photo among several. `showMore(action, place)` is called when a button is
 * pressed for the first time, to fill the element `place`.
 */
export function answerParts(answer, heading, showMore) {
  const faces = answer.faces ?? [];
  const several = answer.lines?.length > 0;
  const parts = [];
  if (heading) parts.push(create("p", { className: "heading", textContent: heading }));
  const lead = create("p", { className: "text", textContent: answer.lead ?? answer.text });
  parts.push(lead);
  const items = faces.map((face, index) => {
    const button = answer.face_buttons?.[index];
    return faceItem(face, several ? answer.lines[index] : null, buttonsAndResults(button ? [button] : [], showMore));
  });
  if (answer.card) parts.push(pictureWithBoxes(answer.card, answer, items, several ? items : [lead]));
  if (faces.length) parts.push(create(several ? "ol" : "div", { className: "faces" }, ...items));
  if (answer.note) parts.push(create("p", { className: "text", textContent: answer.note }));
  const share = answer.card ? [shareButton(answer.card)] : [];
  parts.push(...buttonsAndResults(answer.buttons ?? [], showMore, share));
  return parts;
}

// --- The picture ---

/**
 * The annotated picture with an area over each box. Tapping one lights its line; pointing at an item or focusing it
 * lights its box. For the keyboard and for screen readers the items are enough, so the areas are hidden from them.
 */
function pictureWithBoxes(card, { width, height, faces }, items, lines) {
  const image = create("img", { className: "card", alt: word("chat-script-picture"), width, height });
  image.src = `data:image/jpeg;base64,${card.jpeg_base64}`;
  const percent = (part, whole) => `${(100 * part) / whole}%`;
  const areas = faces.map(({ box: [x, y, w, h] }) => {
    const area = create("div", { className: "box" });
    Object.assign(area.style, {
      left: percent(x, width),
      top: percent(y, height),
      width: percent(w, width),
      height: percent(h, height),
      // A small face in front of a large one can be tapped.
      zIndex: String(Math.round(1000 * (1 - (w * h) / (width * height)))),
    });
    return area;
  });
  const light = (lit) => {
    for (const [index, area] of areas.entries()) {
      area.classList.toggle("lit", index === lit);
      lines[index].classList.toggle("lit", index === lit);
    }
  };
  let kept = -1;
  for (const [index, area] of areas.entries()) {
    area.onclick = () => {
      kept = kept === index ? -1 : index;
      light(kept);
      if (kept >= 0) lines[index].scrollIntoView({ block: "nearest" });
    };
    for (const event of ["pointerenter", "focusin"]) items[index].addEventListener(event, () => light(index));
    for (const event of ["pointerleave", "focusout"]) items[index].addEventListener(event, () => light(kept));
  }
  const cover = create("div", { className: "boxes" }, ...areas);
  cover.setAttribute("aria-hidden", "true");
  return create("div", { className: "picture" }, image, cover);
}

// --- The faces ---

/** One face: its line if there are several, and its numbers and buttons, folded away. */
function faceItem(face, line, buttons) {
  const summary = create("summary", {}, line ?? word("chat-script-numbers"));
  const details = create("details", {}, summary, ...numbers(face), ...buttons);
  return create(line ? "li" : "div", { className: "face" }, details);
}

function numbers(face) {
  const [age, low, high] = [face.age, face.age_low, face.age_high].map(Math.round);
  const parts = [
    create("p", { className: "number", textContent: word(face.age_told ? "chat-script-age" : "chat-script-age-untold", { age, low, high }) }),
    ageScale(face),
  ];
  // Where the text leaves the gender out, so do the numbers.
  if (face.gender_told) parts.push(gender(face));
  const sure = word(face.confident ? "chat-script-sure" : "chat-script-unsure");
  parts.push(create("p", { className: face.confident ? "confidence sure" : "confidence", textContent: sure }));
  return parts;
}

/** A scale of 0 to 100 years with the likely range as a bar and the guess, if it is told, as a marker; the line above it says the same. */
function ageScale({ age, age_low, age_high, age_told }) {
  const percent = (years) => `${Math.min(100, Math.max(0, years))}%`;
  const ticks = [0, 20, 40, 60, 80, 100].map((years) => {
    const anchor = years === 0 ? "start" : years === 100 ? "end" : "middle";
    return createSvg("text", { x: percent(years), y: 31, "text-anchor": anchor }, String(years));
  });
  return createSvg(
    "svg",
    { class: "scale", "aria-hidden": "true" },
    createSvg("rect", { class: "track", x: 0, y: 7, width: "100%", height: 6, rx: 3 }),
    createSvg("rect", { class: "range", x: percent(age_low), y: 4, width: percent(age_high - age_low), height: 12, rx: 6 }),
    ...(age_told ? [createSvg("circle", { class: "marker", cx: percent(age), cy: 10, r: 7 })] : []),
    ...ticks,
  );
}

function gender(face) {
  const percent = 100 * face.gender_probability;
  // No guess is certain, so 100 % is never shown.
  const likely = percent > 99 ? "> 99" : new Intl.NumberFormat(language, { maximumFractionDigits: 0 }).format(percent);
  const bar = create("progress", { max: 100, value: percent });
  bar.setAttribute("aria-hidden", "true");
  const text = word(face.gender === "female" ? "chat-script-female" : "chat-script-male", { percent: likely });
  return create("p", { className: "gender" }, create("span", { className: "number", textContent: text }), bar);
}

// --- The buttons ---

/** A row of buttons, those that the server answers before `others`, and below it a place for each answer. */
function buttonsAndResults(actions, showMore, others = []) {
  const buttons = [];
  const places = [];
  for (const { action, label } of actions) {
    const place = create("div", { className: "result", hidden: true });
    const button = create("button", { type: "button", textContent: label });
    button.setAttribute("aria-expanded", "false");
    let asked = false;
    button.onclick = async () => {
      place.hidden = !place.hidden;
      button.setAttribute("aria-expanded", String(!place.hidden));
      if (place.hidden || asked) return;
      asked = true;
      const { canRetry } = await showMore(action, place);
      // The next press asks again.
      if (canRetry) asked = false;
    };
    buttons.push(button);
    places.push(place);
  }
  buttons.push(...others);
  if (!buttons.length) return [];
  return [create("div", { className: "buttons" }, ...buttons), ...places];
}

/** Shares the annotated picture where the browser can, and otherwise saves it. */
function shareButton(card) {
  const button = create("button", { type: "button", textContent: word("chat-script-share") });
  button.onclick = async () => {
    const bytes = Uint8Array.from(atob(card.jpeg_base64), (character) => character.charCodeAt(0));
    const file = new File([bytes], "faceguesser.jpg", { type: "image/jpeg" });
    if (navigator.canShare?.({ files: [file] })) {
      try {
        await navigator.share({ files: [file] });
        return;
      } catch (error) {
        if (error.name === "AbortError") return;
      }
    }
    const url = URL.createObjectURL(file);
    create("a", { href: url, download: file.name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  };
  return button;
}
