// The chat: accepts photos by drop, paste, file chooser and camera, sends them to the server one after the other and
// shows its answers. Stores nothing.

import { answerParts } from "./answer.js";
import { openCamera } from "./camera.js";
import { byId, create, language, reducedMotion, word } from "./dom.js";

const REQUEST_TIMEOUT_MS = 180_000;

const log = byId("log");
const composer = byId("composer");
const page = document.documentElement;

// --- Messages ---

/** Appends a message from "user" or "bot"; returns its bubble. */
function addMessage(sender, ...children) {
  const bubble = create("div", { className: "bubble", tabIndex: -1 }, ...children);
  const message = create("article", { className: `message ${sender}` }, bubble);
  message.setAttribute("aria-label", sender === "user" ? word("chat-script-you") : "FaceGuesser");
  log.append(message);
  return bubble;
}

function paragraph(text, className = "text") {
  return create("p", { className, textContent: text });
}

const loading = () => paragraph(word("chat-script-analysing"), "text loading");

// What the bar covers counts as outside the window, for scrolling and for moving the focus.
let covered = 0;
new ResizeObserver(() => {
  covered = getComputedStyle(composer).position === "sticky" ? composer.offsetHeight : 0;
  page.style.scrollPaddingBottom = `${covered}px`;
}).observe(composer);

function reveal(element) {
  // Of an answer that is taller than the window, the beginning is shown.
  const block = element.offsetHeight > innerHeight - covered ? "start" : "nearest";
  element.scrollIntoView({ block, behavior: reducedMotion() ? "auto" : "smooth" });
}

/** Whether the reader has scrolled or typed since they sent photos: then answers leave the page where it is. */
let readerMoved = false;
for (const kind of ["wheel", "touchmove", "keydown"]) {
  addEventListener(kind, () => (readerMoved = true), { passive: true });
}

/** Runs `change`, and scrolls to `element` if the reader is waiting for it: it was in the window, and nobody scrolled. */
function changeAndFollow(element, change) {
  const { top, bottom } = element.getBoundingClientRect();
  const follows = !readerMoved && bottom > 0 && top < innerHeight - covered;
  change();
  if (follows) reveal(element);
}

// --- Sending photos ---

let queue = Promise.resolve();
let conversation = new AbortController();

/** Shows all photos at once and requests one guess at a time, in order. */
function send(files) {
  const photos = [...files];
  if (!photos.length) return;
  byId("clear").hidden = false;
  readerMoved = false;
  addMessage("user", ...photos.map(thumbnail));
  const bubbles = photos.map(() => addMessage("bot", loading()));
  for (const [index, file] of photos.entries()) {
    const heading = photos.length > 1 ? word("chat-script-photo", { number: index + 1 }) : null;
    enqueue({ file, heading, bubble: bubbles[index] });
  }
  reveal(bubbles[0].parentElement);
}

function enqueue(photo) {
  const { signal } = conversation;
  queue = queue.then(() => signal.aborted || requestGuess(photo, signal));
}

function thumbnail(file) {
  const picture = create("img", { alt: word("chat-script-your-photo", { name: file.name }) });
  const figure = create("figure", {}, picture);
  const url = URL.createObjectURL(file);
  picture.onload = () => URL.revokeObjectURL(url);
  // Files that the browser cannot display (HEIC, or not a picture at all) are shown by name only.
  picture.onerror = () => {
    URL.revokeObjectURL(url);
    picture.replaceWith(paragraph(file.name || "photo", "name"));
  };
  picture.src = url;
  return figure;
}

/** Posts a photo; returns the server's answer, and whether trying again may help. */
async function post(path, file, signal) {
  const body = new FormData();
  body.append("photo", file, file.name || "photo");
  let response;
  try {
    const signals = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
    response = await fetch(path, { method: "POST", body, headers: { "accept-language": language }, signal: signals });
    const answer = await response.json();
    const text = answer.text ?? answer.error ?? word("chat-script-failed");
    return { ...answer, text, canRetry: response.status >= 500 || response.status === 408 };
  } catch {
    return { text: word("chat-script-offline"), canRetry: true };
  }
}

/** Waits for the pictures, so that nothing moves when they appear. */
function decoded(parts) {
  const pictures = parts.flatMap((part) => (part.matches("img") ? [part] : [...part.querySelectorAll("img")]));
  return Promise.allSettled(pictures.map((picture) => picture.decode()));
}

async function requestGuess(photo, signal) {
  const answer = await post("/api/guess?card=1", photo.file, signal);
  if (signal.aborted) return;
  const { bubble } = photo;
  const parts = answerParts(answer, photo.heading, (action, place) => showMore(photo.file, action, place, signal));
  if (answer.canRetry) parts.push(retryButton(photo));
  await decoded(parts);
  if (signal.aborted) return;
  changeAndFollow(bubble.parentElement, () => bubble.replaceChildren(...parts));
}

/** Fills `place` with the answer to a button. */
async function showMore(file, action, place, signal) {
  readerMoved = false;
  place.replaceChildren(loading());
  reveal(place);
  const answer = await post(`/api/guess?card=1&action=${encodeURIComponent(action)}`, file, signal);
  if (signal.aborted) return answer;
  const parts = [paragraph(answer.text)];
  for (const { jpeg_base64, alternative_text } of answer.cards ?? []) {
    // Cards with text are as wide as the message allows, whatever their height.
    const className = answer.cards.length > 1 ? "card whole" : "card";
    parts.push(create("img", { className, src: `data:image/jpeg;base64,${jpeg_base64}`, alt: alternative_text }));
  }
  await decoded(parts);
  changeAndFollow(place, () => place.replaceChildren(...parts));
  return answer;
}

function retryButton(photo) {
  const button = create("button", { type: "button", textContent: word("chat-script-retry") });
  button.onclick = () => {
    // The button is about to go; its message keeps the focus.
    photo.bubble.focus({ preventScroll: true });
    photo.bubble.replaceChildren(loading());
    enqueue(photo);
  };
  return button;
}

byId("clear").onclick = () => {
  conversation.abort();
  conversation = new AbortController();
  queue = Promise.resolve();
  log.replaceChildren();
  byId("choose").focus();
  byId("clear").hidden = true;
};

// --- File chooser, drop, paste and camera ---

const fileInput = byId("file");
byId("choose").onclick = () => fileInput.click();
for (const input of [fileInput, byId("capture")]) {
  input.onchange = () => {
    send(input.files);
    // Without this, choosing the same file again would not fire the event.
    input.value = "";
  };
}
byId("camera").onclick = () => openCamera(send, () => byId("capture").click());

const drop = byId("drop");
// Every nested element fires dragenter and dragleave; the drag has left the page at depth 0.
let depth = 0;
const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragenter", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  depth += 1;
  drop.hidden = false;
});
addEventListener("dragleave", (event) => {
  if (!hasFiles(event)) return;
  depth = Math.max(0, depth - 1);
  drop.hidden = depth === 0;
});
// By default the browser would navigate to the dropped file.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  drop.hidden = true;
  if (event.dataTransfer?.files.length) send(event.dataTransfer.files);
  else reveal(addMessage("bot", paragraph(word("chat-script-no-files"))).parentElement);
});
addEventListener("paste", (event) => {
  const files = event.clipboardData?.files ?? [];
  if (!files.length) return;
  event.preventDefault();
  send(files);
});
