// The chat: accepts photos by drop, paste, file chooser and camera, sends them to the server one
// after the other and shows its answers. Stores nothing.

const byId = (id) => document.getElementById(id);
const log = byId("log");
const REQUEST_TIMEOUT_MS = 180_000;

/** Creates an element; `children` are strings and elements, never markup. */
function create(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function createSvg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
function reveal(element) {
  element.scrollIntoView({ block: "nearest", behavior: reducedMotion.matches ? "auto" : "smooth" });
}

/** Appends a message from "user" or "bot"; returns its bubble. */
function addMessage(sender, ...children) {
  const bubble = create("div", { className: "bubble" }, ...children);
  const message = create("article", { className: `message ${sender}` }, bubble);
  message.setAttribute("aria-label", sender === "user" ? "You" : "FaceGuesser");
  log.append(message);
  reveal(message);
  return bubble;
}

function paragraph(text) {
  return create("p", { className: "text", textContent: text });
}

function loading() {
  return create("p", { className: "text loading", textContent: "Analysing…" });
}

// --- Sending photos ---

let queue = Promise.resolve();

/** Shows all photos immediately and requests one guess at a time, in order. */
function send(files) {
  for (const file of files) {
    addPhoto(file);
    enqueue(file, addMessage("bot", loading()));
  }
}

function enqueue(file, bubble) {
  queue = queue.then(() => requestGuess(file, bubble));
}

function addPhoto(file) {
  const name = create("p", { className: "name", textContent: file.name || "photo" });
  const picture = create("img", { alt: `Your photo ${file.name}` });
  const url = URL.createObjectURL(file);
  addMessage("user", picture, name);
  picture.onload = () => {
    URL.revokeObjectURL(url);
    reveal(log.lastElementChild);
  };
  // Files that the browser cannot display (HEIC, or not a picture at all) are shown by name only.
  picture.onerror = () => {
    URL.revokeObjectURL(url);
    picture.remove();
    name.classList.add("only");
  };
  picture.src = url;
}

async function requestGuess(file, bubble) {
  const form = new FormData();
  form.append("photo", file, file.name || "photo");
  let response;
  let answer;
  try {
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    response = await fetch("/api/guess?card=1", { method: "POST", body: form, signal });
    answer = await response.json();
  } catch {
    const text = "I can't reach the server. Is the program still running? Please try again.";
    answer = { text, faces: [] };
  }
  const canRetry = !response || response.status >= 500 || response.status === 408;
  const text = answer.text ?? answer.error ?? "Something went wrong. Please try again.";
  const parts = [paragraph(text)];
  if (answer.card) parts.push(card(answer.card));
  if (answer.faces?.length) parts.push(faceList(answer.faces, text));
  if (canRetry) parts.push(retryButton(file, bubble));
  bubble.replaceChildren(...parts);
  reveal(bubble.parentElement);
}

function retryButton(file, bubble) {
  const button = create("button", { type: "button", textContent: "Try again" });
  button.onclick = () => {
    bubble.replaceChildren(loading());
    enqueue(file, bubble);
  };
  return button;
}

// --- Rendering answers ---

function card({ jpeg_base64, alternative_text }) {
  const picture = create("img", { className: "card", alt: alternative_text });
  picture.onload = () => reveal(picture.closest(".message"));
  picture.src = `data:image/jpeg;base64,${jpeg_base64}`;
  return picture;
}

function faceList(faces, text) {
  const items = faces.map((face, index) => faceItem(face, faces.length > 1 ? index + 1 : null, text));
  return create("ul", { className: "faces" }, ...items);
}

/** `number` is null for a single face. */
function faceItem(face, number, text) {
  const [age, low, high] = [face.age, face.age_low, face.age_high].map(Math.round);
  const item = create("li", { className: "face" });
  if (number) item.append(create("h3", { textContent: `Face ${number}` }));
  item.append(
    create(
      "div",
      { className: "summary" },
      create("span", { className: "age", textContent: age }),
      create("span", { className: "unit", textContent: `years, likely ${low} to ${high}` }),
      create("span", {
        className: `confidence ${face.confident ? "sure" : "unsure"}`,
        textContent: face.confident ? "✓ sure" : "? not sure",
      }),
    ),
    ageScale(face),
  );
  // Where the text leaves the gender out, so does the list.
  if (face.gender_told) item.append(gender(face));
  // The text about a single face already contains its tips.
  const tips = face.tips.filter((tip) => !text.includes(tip));
  if (tips.length) {
    item.append(create("ul", { className: "tips" }, ...tips.map((tip) => create("li", { textContent: tip }))));
  }
  return item;
}

/** A scale of 0 to 100 years with the likely range as a bar and the guess as a marker. */
function ageScale({ age, age_low, age_high }) {
  const label = `Age scale from 0 to 100: likely ${Math.round(age_low)} to ${Math.round(age_high)}, guess ${Math.round(age)}.`;
  const percent = (years) => `${Math.min(100, Math.max(0, years))}%`;
  const ticks = [0, 20, 40, 60, 80, 100].map((years) => {
    const anchor = years === 0 ? "start" : years === 100 ? "end" : "middle";
    return createSvg("text", { x: percent(years), y: 31, "text-anchor": anchor }, String(years));
  });
  return createSvg(
    "svg",
    { class: "scale", role: "img", "aria-label": label },
    createSvg("rect", { class: "track", x: 0, y: 7, width: "100%", height: 6, rx: 3 }),
    createSvg("rect", { class: "range", x: percent(age_low), y: 4, width: percent(age_high - age_low), height: 12, rx: 6 }),
    createSvg("circle", { class: "marker", cx: percent(age), cy: 10, r: 7 }),
    ...ticks,
  );
}

function gender(face) {
  const percent = Math.round(face.gender_probability * 100);
  const name = face.gender === "female" ? "Female" : "Male";
  // No guess is certain, so 100 % is never shown.
  const likely = percent > 99 ? "over 99" : percent;
  const bar = create("progress", { max: 100, value: percent });
  bar.setAttribute("aria-hidden", "true");
  return create("p", { className: "gender" }, create("span", { textContent: `${name}, ${likely} % likely` }), bar);
}

// --- File chooser, drop and paste ---

const fileInput = byId("file");
byId("choose").onclick = () => fileInput.click();
for (const input of [fileInput, byId("capture")]) {
  input.onchange = () => {
    send(input.files);
    // Without this, choosing the same file again would not fire the event.
    input.value = "";
  };
}

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
  else addMessage("bot", paragraph("I can only accept image files. Please save the picture first, then drop the file here."));
});
addEventListener("paste", (event) => {
  const files = event.clipboardData?.files ?? [];
  if (!files.length) return;
  event.preventDefault();
  send(files);
});

// --- Camera ---

const viewfinder = byId("viewfinder");
const video = byId("video");
const takePhoto = byId("take-photo");
const cameraState = byId("camera-state");
const hint = cameraState.textContent;

byId("camera").onclick = async () => {
  // Browsers allow camera access only on localhost or over TLS. The fallback opens a phone's camera app.
  if (!navigator.mediaDevices?.getUserMedia) return byId("capture").click();
  cameraState.textContent = "Waiting for the camera…";
  viewfinder.showModal();
  try {
    const constraints = { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 960 } };
    const stream = await navigator.mediaDevices.getUserMedia({ video: constraints, audio: false });
    if (!viewfinder.open) return stopStream(stream);
    video.srcObject = stream;
    cameraState.textContent = hint;
    takePhoto.disabled = false;
    takePhoto.focus();
  } catch (error) {
    cameraState.textContent =
      error.name === "NotAllowedError"
        ? "Your browser blocks the camera on this page. Allow it in the address bar, or choose a photo."
        : "No camera was found. You can choose a photo instead.";
  }
};

function stopStream(stream) {
  stream?.getTracks().forEach((track) => track.stop());
}

takePhoto.onclick = () => {
  if (!video.videoWidth) return;
  const canvas = create("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => send([new File([blob], "camera.jpg", { type: "image/jpeg" })]), "image/jpeg", 0.92);
  viewfinder.close();
};
byId("cancel").onclick = () => viewfinder.close();
viewfinder.onclose = () => {
  stopStream(video.srcObject);
  video.srcObject = null;
  takePhoto.disabled = true;
};
