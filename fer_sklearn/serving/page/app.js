// The page: takes photos that are dropped, pasted or chosen, and the camera, and shows
// the results.

import { explain, getModel, predict } from "./api.js";
import { Camera } from "./camera.js";
import { Follower } from "./follow.js";
import { drawn } from "./save.js";
import { Strip } from "./strip.js";
import { csv, el, fromLeft, sentence, showFaces, showPicture } from "./view.js";
import { layer, words } from "./why.js";

const MIDDLE = "The middle of the photo was treated as one face.";
const LONGEST = 1600; // Pixels; larger photos are scaled down before they are sent.

const $ = (id) => document.getElementById(id);
let model = { detects_faces: true };
let round = 0;
let camera = null;
let follower = null;
let strip = null;
let urls = [];
let answers = []; // the pictures whose results are shown, for the csv

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
      const sent = await smaller(file);
      const picture = fromLeft(await predict(sent, file.name, $("cropped").checked));
      if (mine !== round) return;
      const url = URL.createObjectURL(file);
      urls.push(url);
      const id = `picture-${index}`;
      const cropped = $("cropped").checked;
      const article = showPicture(picture, url, id, {
        treatAsFace: (button) => treatAsFace(article, sent, file.name, url, id, button),
        why: (face, card, button) => showWhy(picture, sent, cropped, face, card, button),
      });
      $("results").append(article);
      answers.push(picture);
      $("after").hidden = false;
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

// Eileen Collins, photographed by NASA (public domain).
async function readExample() {
  try {
    const photo = await (await fetch("page/example.jpg")).blob();
    await readFiles([new File([photo], "example.jpg", { type: photo.type })]);
  } catch (error) {
    complain(error);
  }
}

async function treatAsFace(article, sent, name, url, id, button) {
  button.disabled = true;
  $("alert").hidden = true;
  try {
    const picture = { ...(await predict(sent, name, true)), note: MIDDLE };
    if (!article.isConnected) return;
    answers[[...$("results").children].indexOf(article)] = picture;
    article.replaceWith(showPicture(picture, url, id, {
      why: (face, card, pressed) => showWhy(picture, sent, true, face, card, pressed),
    }));
    $(`${id}-face-0`).focus();
    say(sentence(picture));
  } catch (error) {
    button.disabled = false;
    if (article.isConnected) complain(error);
  }
}

// Pressed again, the button hides what it has shown.
async function showWhy(picture, sent, cropped, face, card, button) {
  const stage = card.closest(".result").querySelector(".boxes");
  stage.querySelector(".why")?.remove();
  const pressed = button.getAttribute("aria-pressed") === "true";
  for (const other of card.parentElement.querySelectorAll("[aria-pressed=true]")) {
    other.setAttribute("aria-pressed", "false");
    other.closest(".card").querySelector(".reason").remove();
  }
  if (pressed) return;
  button.disabled = true;
  $("alert").hidden = true;
  try {
    const answer = await explain(sent, picture.name || "picture", cropped, face.place ?? 0);
    if (!card.isConnected) return;
    stage.prepend(layer(answer, face, picture));
    button.setAttribute("aria-pressed", "true");
    card.append(el("p", { class: "reason" }, words(answer)));
    say(words(answer));
  } catch (error) {
    if (card.isConnected) complain(error);
  } finally {
    button.disabled = false;
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
  answers = [];
  $("after").hidden = true;
  say("");
}

// A file that the browser cannot decode is sent unchanged: the service reads more formats.
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
  camera = new Camera($("video"), { show: showFrame, fail: cameraFailed });
  follower = new Follower();
  strip = new Strip($("strip"), $("strip-words"));
  takeMiddle(!model.detects_faces || $("cropped").checked);
  $("live").hidden = false;
  $("picker").hidden = true;
  $("stop").focus();
  try {
    await camera.start();
    $("turn").hidden = (await Camera.count()) < 2;
  } catch (error) {
    cameraFailed(error);
  }
}

function takeMiddle(yes) {
  camera.square = yes;
  $("live-stage").classList.toggle("square", yes);
  $("whole").setAttribute("aria-pressed", yes);
}

function showFrame(answer, mirrored) {
  const picture = fromLeft(follower.follow(answer), mirrored);
  showFaces(picture, $("live-boxes"), $("live-cards"), "live");
  strip.add(picture);
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

// --- messages -------------------------------------------------------------------

function say(text) {
  $("status").textContent = text;
}

// A screen reader announces each change of expression, not each frame.
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
  $("cropped-label").hidden = $("whole").hidden = !model.detects_faces;
  const { text, ...card } = model.card;
  const facts = {
    ...card,
    faces: `${model.image_shape.join(" × ")} pixels, grey`,
    expressions: model.emotions.join(", "),
  };
  $("facts").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => {
    // Nested values are for programs, which read them from /model.
    if (!["string", "number"].includes(typeof value)) return [];
    return [el("dt", {}, name.replaceAll("_", " ")), el("dd", {}, written(value))];
  }));
  if (text) {
    $("about").append(el("p", {}, el("a", { href: "card" }, "Full model card"),
      ": training, scores and limits of the model."));
  }
}

function written(value) {
  if (typeof value === "string") return value;
  const digits = Number.isInteger(value) ? {} : { maximumSignificantDigits: 3 };
  return value.toLocaleString("en", digits);
}

// --- events ---------------------------------------------------------------------

function dragging(on) {
  document.body.classList.toggle("dragging", on);
}

$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  readFiles([...$("file").files]);
  $("file").value = ""; // So that choosing the same file again is a change.
});
$("camera").addEventListener("click", startCamera);
$("example").addEventListener("click", readExample);
$("stop").addEventListener("click", () => {
  stopCamera();
  answered(false);
  $("camera").focus();
});
$("csv").addEventListener("click", () => {
  save(new Blob([csv(answers, model.emotions)], { type: "text/csv" }), "emotions.csv");
});
$("save").addEventListener("click", () => {
  [...$("results").children].forEach((article, index) => {
    // A format that the browser cannot display cannot be drawn either.
    if (!article.querySelector("img")) return;
    const name = (answers[index].name || "picture").replace(/\.[^.]*$/, "");
    drawn(article, answers[index]).toBlob((blob) => save(blob, `${name}-emotions.png`));
  });
});

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  el("a", { href: url, download: name }).click();
  URL.revokeObjectURL(url);
}

$("whole").addEventListener("click", () => takeMiddle(!camera.square));
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
