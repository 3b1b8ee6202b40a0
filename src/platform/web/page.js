// The chat: takes photos from drop, paste, file chooser and camera, asks the server for each in
// turn, and shows what it says. Keeps nothing beyond the page.

const byId = (id) => document.getElementById(id);
const log = byId("log");
const PATIENCE_MS = 180_000;

/** Makes an element; `parts` are texts and elements, never markup. */
function make(tag, properties = {}, ...parts) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...parts);
  return element;
}

function drawing(tag, attributes, ...parts) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...parts);
  return element;
}

const calm = matchMedia("(prefers-reduced-motion: reduce)");
function show(element) {
  element.scrollIntoView({ block: "nearest", behavior: calm.matches ? "auto" : "smooth" });
}

function say(sender, ...parts) {
  const bubble = make("div", { className: "bubble" }, ...parts);
  const message = make("article", { className: `message ${sender}` }, bubble);
  message.setAttribute("aria-label", sender === "mine" ? "You" : "FaceGuesser");
  log.append(message);
  show(message);
  return bubble;
}

function words(text) {
  return make("p", { className: "words", textContent: text });
}

// --- One photo after the other ---

let turn = Promise.resolve();

/** Shows each photo at once and asks for one at a time, in order. */
function send(files) {
  for (const file of files) {
    sayMine(file);
    const bubble = say("bot", make("p", { className: "words looking", textContent: "Looking…" }));
    queue(file, bubble);
  }
}

function queue(file, bubble) {
  turn = turn.then(() => ask(file, bubble));
}

function sayMine(file) {
  const name = make("p", { className: "name", textContent: file.name || "photo" });
  const picture = make("img", { alt: `Your photo ${file.name}` });
  const address = URL.createObjectURL(file);
  const bubble = say("mine", picture, name);
  picture.onload = () => {
    URL.revokeObjectURL(address);
    show(log.lastElementChild);
  };
  // What the browser cannot show (HEIC, or no picture at all) is shown by its name.
  picture.onerror = () => {
    URL.revokeObjectURL(address);
    picture.remove();
    name.classList.add("alone");
  };
  picture.src = address;
  return bubble;
}

async function ask(file, bubble) {
  const form = new FormData();
  form.append("photo", file, file.name || "photo");
  let response;
  let answer;
  try {
    response = await fetch("/api/guess?card=1", { method: "POST", body: form, signal: AbortSignal.timeout(PATIENCE_MS) });
    answer = await response.json();
  } catch {
    const text = "I couldn't be reached just now. Is the program still running? Please try again.";
    answer = { text, faces: [] };
  }
  const again = !response || response.status >= 500 || response.status === 408;
  const text = answer.text ?? answer.error ?? "Something went wrong. Please try again.";
  const parts = [words(text)];
  if (answer.card) parts.push(card(answer.card));
  if (answer.faces?.length) parts.push(faces(answer.faces, text));
  if (again) parts.push(retry(file, bubble));
  bubble.replaceChildren(...parts);
  show(bubble.parentElement);
}

function retry(file, bubble) {
  const button = make("button", { type: "button", textContent: "Try again" });
  button.onclick = () => {
    bubble.replaceChildren(make("p", { className: "words looking", textContent: "Looking…" }));
    queue(file, bubble);
  };
  return button;
}

// --- What an answer looks like ---

function card({ jpeg_base64, alternative_text }) {
  const picture = make("img", { className: "card", alt: alternative_text });
  picture.onload = () => show(picture.closest(".message"));
  picture.src = `data:image/jpeg;base64,${jpeg_base64}`;
  return picture;
}

function faces(list, text) {
  const items = list.map((face, index) => faceItem(face, list.length > 1 ? index + 1 : 0, text));
  return make("ul", { className: "faces" }, ...items);
}

function faceItem(face, number, text) {
  const [age, low, high] = [face.age, face.age_low, face.age_high].map(Math.round);
  const item = make("li", { className: "face" });
  if (number) item.append(make("h3", { textContent: `Face ${number}` }));
  item.append(
    make(
      "div",
      { className: "summary" },
      make("span", { className: "age", textContent: age }),
      make("span", { className: "unit", textContent: `years, likely ${low} to ${high}` }),
      make("span", {
        className: `sure ${face.confident ? "yes" : "no"}`,
        textContent: face.confident ? "✓ sure" : "? not sure",
      }),
    ),
    scale(face),
  );
  // Of whom the words say no gender, the numbers say none either.
  if (face.gender_told) item.append(gender(face));
  // With one face the words hold its tips already.
  const tips = face.tips.filter((tip) => !text.includes(tip));
  if (tips.length) {
    item.append(make("ul", { className: "tips" }, ...tips.map((tip) => make("li", { textContent: tip }))));
  }
  return item;
}

/** The likely range as a band on 0 to 100 years, the guess as a mark. */
function scale({ age, age_low, age_high }) {
  const label = `Age scale from 0 to 100: likely ${Math.round(age_low)} to ${Math.round(age_high)}, guess ${Math.round(age)}.`;
  const percent = (years) => `${Math.min(100, Math.max(0, years))}%`;
  const ticks = [0, 20, 40, 60, 80, 100].map((years) => {
    const anchor = years === 0 ? "start" : years === 100 ? "end" : "middle";
    return drawing("text", { x: percent(years), y: 31, "text-anchor": anchor }, String(years));
  });
  return drawing(
    "svg",
    { class: "scale", role: "img", "aria-label": label },
    drawing("rect", { class: "rail", x: 0, y: 7, width: "100%", height: 6, rx: 3 }),
    drawing("rect", { class: "band", x: percent(age_low), y: 4, width: percent(age_high - age_low), height: 12, rx: 6 }),
    drawing("circle", { class: "mark", cx: percent(age), cy: 10, r: 7 }),
    ...ticks,
  );
}

function gender(face) {
  const percent = Math.round(face.gender_probability * 100);
  const name = face.gender === "female" ? "Female" : "Male";
  // No guess is certain, however it rounds.
  const likely = percent > 99 ? "over 99" : percent;
  const bar = make("progress", { max: 100, value: percent });
  bar.setAttribute("aria-hidden", "true");
  return make("p", { className: "gender" }, make("span", { textContent: `${name}, ${likely} % likely` }), bar);
}

// --- Four ways in ---

const file = byId("file");
byId("choose").onclick = () => file.click();
for (const input of [file, byId("snap")]) {
  input.onchange = () => {
    send(input.files);
    // The same file chosen twice is asked twice.
    input.value = "";
  };
}

const drop = byId("drop");
let depth = 0;
const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragenter", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  depth += 1;
  drop.hidden = false;
});
addEventListener("dragleave", (event) => {
  if (!holdsFiles(event)) return;
  depth = Math.max(0, depth - 1);
  drop.hidden = depth === 0;
});
// Without this the browser would leave the page and open the file.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  drop.hidden = true;
  if (event.dataTransfer?.files.length) send(event.dataTransfer.files);
  else say("bot", words("I can only take picture files. Save that picture first, then drop the file here."));
});
addEventListener("paste", (event) => {
  const files = event.clipboardData?.files ?? [];
  if (!files.length) return;
  event.preventDefault();
  send(files);
});

// --- The camera ---

const viewfinder = byId("viewfinder");
const video = byId("video");
const shoot = byId("shoot");
const state = byId("camera-state");
const hint = state.textContent;

byId("camera").onclick = async () => {
  // Browsers give pages the camera on this machine or over TLS alone; phones have their own app.
  if (!navigator.mediaDevices?.getUserMedia) return byId("snap").click();
  state.textContent = "Waiting for the camera…";
  viewfinder.showModal();
  try {
    const wanted = { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 960 } };
    const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    if (!viewfinder.open) return release(stream);
    video.srcObject = stream;
    state.textContent = hint;
    shoot.disabled = false;
    shoot.focus();
  } catch (error) {
    state.textContent =
      error.name === "NotAllowedError"
        ? "The browser doesn't let this page use the camera. Allow it in the address bar, or choose a photo."
        : "I can't find a camera here. You can choose a photo instead.";
  }
};

function release(stream) {
  stream?.getTracks().forEach((track) => track.stop());
}

shoot.onclick = () => {
  if (!video.videoWidth) return;
  const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => send([new File([blob], "camera.jpg", { type: "image/jpeg" })]), "image/jpeg", 0.92);
  viewfinder.close();
};
byId("cancel").onclick = () => viewfinder.close();
viewfinder.onclose = () => {
  release(video.srcObject);
  video.srcObject = null;
  shoot.disabled = true;
};
