// The camera's dialog.

import { byId, create, word } from "./dom.js";

const viewfinder = byId("viewfinder");
const video = byId("video");
const takePhoto = byId("take-photo");
const state = byId("camera-state");
const hint = state.textContent;

let send;

/**
 * Opens the dialog, which passes the photo to `send` in a list. Browsers allow camera access only on localhost or over TLS;
 * elsewhere `fallBack` is called, which opens a phone's camera app.
 */
export async function openCamera(sendPhotos, fallBack) {
  if (!navigator.mediaDevices?.getUserMedia) return fallBack();
  send = sendPhotos;
  state.textContent = word("chat-script-camera-wait");
  viewfinder.showModal();
  try {
    const constraints = { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 960 } };
    const stream = await navigator.mediaDevices.getUserMedia({ video: constraints, audio: false });
    if (!viewfinder.open) return stop(stream);
    video.srcObject = stream;
  } catch (error) {
    const isBlocked = error.name === "NotAllowedError";
    state.textContent = word(isBlocked ? "chat-script-camera-blocked" : "chat-script-camera-missing");
  }
}

function stop(stream) {
  stream?.getTracks().forEach((track) => track.stop());
}

// The camera's first picture is there: before that there is nothing to take.
video.onloadeddata = () => {
  state.textContent = hint;
  takePhoto.disabled = false;
  takePhoto.focus();
};
takePhoto.onclick = () => {
  const canvas = create("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => send([new File([blob], "camera.jpg", { type: "image/jpeg" })]), "image/jpeg", 0.92);
  viewfinder.close();
};
byId("cancel").onclick = () => viewfinder.close();
viewfinder.onclose = () => {
  stop(video.srcObject);
  video.srcObject = null;
  takePhoto.disabled = true;
};
