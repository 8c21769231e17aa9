// The page: from a dropped, pasted or chosen photo, or the camera, to the results.

import { getModel, predict } from "./api.js";
import { Camera } from "./camera.js";
import { el, sentence, showFaces, showPicture } from "./view.js";

const LONGEST = 1600; // Pixels; a phone's photo is sent smaller than it is.

const $ = (id) => document.getElementById(id);
let model = { detects_faces: true };
let round = 0;
let camera = null;
let urls = [];

// --- photos ---------------------------------------------------------------------

async function readFiles(files) {
  if (!files.length) return;
  const mine = ++round;
  stopCamera();
  clear();
  answered(true);
  $("busy").hidden = false;
  const spoken = [];
  try {
    for (const [index, file] of files.entries()) {
      const picture = await predict(await smaller(file), file.name, $("cropped").checked);
      if (mine !== round) return;
      const url = URL.createObjectURL(file);
      urls.push(url);
      $("results").append(showPicture(picture, url, `picture-${index}`));
      spoken.push(sentence(picture));
    }
    say(spoken.join(" "));
  } catch (error) {
    if (mine !== round) return;
    answered(spoken.length > 0);
    complain(error);
  } finally {
    if (mine === round) $("busy").hidden = true;
  }
}

function answered(yes) {
  document.body.classList.toggle("answered", yes);
}

function clear() {
  $("alert").hidden = true;
  $("results").replaceChildren();
  urls.forEach((url) => URL.revokeObjectURL(url));
  urls = [];
  say("");
}

// What the browser cannot decode goes as it is: the service knows more formats.
async function smaller(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return file;
  }
  const scale = LONGEST / Math.max(bitmap.width, bitmap.height);
  if (scale >= 1) return file;
  const canvas = el("canvas", {
    width: Math.max(1, Math.round(bitmap.width * scale)),
    height: Math.max(1, Math.round(bitmap.height * scale)),
  });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // JPEG has no transparency.
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  return blob ?? file;
}

// --- camera ---------------------------------------------------------------------

async function startCamera() {
  round += 1;
  clear();
  answered(true);
  $("busy").hidden = true;
  camera = new Camera($("video"), {
    square: !model.detects_faces, show: showFrame, fail: cameraFailed,
  });
  $("live").hidden = false;
  $("picker").hidden = true;
  $("live-stage").classList.toggle("square", !model.detects_faces);
  $("stop").focus();
  try {
    await camera.start();
    $("turn").hidden = (await Camera.count()) < 2;
  } catch (error) {
    cameraFailed(error);
  }
}

function showFrame(picture, mirrored) {
  showFaces(picture, $("live-boxes"), $("live-cards"), "live", mirrored);
  sayChange(picture);
}

function stopCamera() {
  if (!camera) return;
  camera.stop();
  camera = null;
  $("live").hidden = true;
  $("picker").hidden = false;
  $("live-boxes").replaceChildren();
  $("live-cards").replaceChildren();
}

function cameraFailed(error) {
  stopCamera();
  answered(false);
  complain(error);
  $("camera").focus();
}

// --- words ----------------------------------------------------------------------

function say(text) {
  $("status").textContent = text;
}

// A screen reader hears of a new expression, not of every frame.
let said = { text: "", at: 0 };
function sayChange(picture) {
  const text = picture.faces.map((face) => face.emotion).join(", ") || "no face";
  const now = performance.now();
  if (text === said.text || now - said.at < 2500) return;
  said = { text, at: now };
  say(text);
}

function complain(error) {
  $("alert").textContent = error.message;
  $("alert").hidden = false;
  $("alert").scrollIntoView({ block: "nearest" });
}

function showModel() {
  $("model-name").textContent = model.name;
  $("cropped-label").hidden = !model.detects_faces;
  $("card").replaceChildren(...facts({ emotions: model.emotions.join(", "), ...model.card }));
}

function facts(card) {
  return Object.entries(card).flatMap(([key, value]) => [
    el("dt", {}, key.replaceAll("_", " ")), el("dd", {}, fact(value))]);
}

function fact(value) {
  if (Array.isArray(value) && value.every((item) => typeof item !== "object")) {
    return value.join(", ");
  }
  if (value !== null && typeof value === "object") {
    return el("dl", { class: "facts" }, ...facts(value));
  }
  return typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value);
}

// --- wires ----------------------------------------------------------------------

function dragging(on) {
  document.body.classList.toggle("dragging", on);
}

$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  readFiles([...$("file").files]);
  $("file").value = ""; // The same file again is a change again.
});
$("camera").addEventListener("click", startCamera);
$("stop").addEventListener("click", () => {
  stopCamera();
  answered(false);
  $("camera").focus();
});
$("turn").addEventListener("click", () => camera?.turn().catch(cameraFailed));
addEventListener("dragover", (event) => { event.preventDefault(); dragging(true); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) dragging(false); });
addEventListener("drop", (event) => {
  event.preventDefault();
  dragging(false);
  readFiles([...event.dataTransfer.files]);
});
addEventListener("paste", (event) => {
  if (event.target.matches?.("input:not([type=checkbox])")) return;
  readFiles([...event.clipboardData.files]);
});
addEventListener("pagehide", stopCamera);
$("curl").textContent = `curl -F files=@photo.jpg ${new URL("predict", location.href)}`;

try {
  model = await getModel();
  showModel();
} catch (error) {
  complain(error);
}
document.documentElement.dataset.ready = "yes";
