// Shows answers: boxes over a picture, and a card with bars for each face.

import { glyph } from "./glyphs.js";

const KNOWN = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];

/** Create an element with attributes and children; text is never parsed as HTML. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function percent(probability) {
  return `${Math.round(100 * probability)}%`;
}

/** "2 faces: happy, 93%; sad, 60%." */
export function sentence(picture) {
  const faces = picture.faces;
  if (!faces.length) return "No face was found.";
  const names = faces.slice(0, 5).map((f) => `${f.emotion}, ${sure(f)}`);
  const more = faces.length > 5 ? "; and more" : "";
  return `${faces.length === 1 ? "1 face" : `${faces.length} faces`}: ${names.join("; ")}${more}.`;
}

/** The table that `fer-sklearn predict` writes: one row per face. */
export function csv(pictures, emotions) {
  const rows = [["file", "face", "emotion", ...emotions, "x", "y", "width", "height"]];
  for (const picture of pictures) {
    picture.faces.forEach((face, index) => rows.push([
      picture.name, index, face.emotion,
      ...emotions.map((name) => face.probabilities[name].toFixed(6)),
      ...["x", "y", "width", "height"].map((side) => face.box?.[side] ?? ""),
    ]));
  }
  return rows.map((row) => `${row.map(cell).join(",")}\n`).join("");
}

function cell(value) {
  let text = String(value);
  // Spreadsheets would run such a cell as a formula.
  if (/^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text))) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * The picture with its faces in the order in which they are displayed, left to right.
 * `place` is that in the answer of the service, and `whole` its box.
 */
export function fromLeft(picture, mirrored = false) {
  const faces = picture.faces.map((face, place) => ({
    ...face, place, whole: face.box, box: face.box && seen(face.box, picture, mirrored),
  }));
  return { ...picture, faces: faces.sort((one, other) => one.box?.x - other.box?.x) };
}

// A detector's box may extend beyond the picture.
function seen(box, picture, mirrored) {
  const left = mirrored ? picture.width - box.x - box.width : box.x;
  const x = Math.max(0, left);
  const y = Math.max(0, box.y);
  return {
    x, width: Math.min(picture.width, left + box.width) - x,
    y, height: Math.min(picture.height, box.y + box.height) - y,
  };
}

/**
 * `treatAsFace` is called when the user presses "Treat as one face", and `why` with a
 * face and its card when the user presses "Why?".
 */
export function showPicture(picture, url, id, { treatAsFace, why }) {
  const boxes = el("div", { class: "boxes" });
  const cards = el("div", { class: "cards" });
  const title = picture.name || "Picture";
  const section = el("article", { class: "result", "aria-label": title },
    el("figure", { class: "picture" },
      el("div", { class: "stage" }, preview(picture, url), boxes),
      caption(picture, title)),
    cards);
  showFaces(picture, boxes, cards, id);
  picture.faces.forEach((face, index) => {
    const button = el("button", { type: "button", "aria-pressed": "false" }, "Why?");
    button.addEventListener("click", () => why(face, cards.children[index], button));
    cards.children[index].append(el("div", { class: "buttons" }, button));
  });
  if (!picture.faces.length) {
    const button = el("button", { type: "button" }, "Treat as one face");
    button.addEventListener("click", () => treatAsFace(button));
    cards.firstChild.append(el("div", { class: "buttons" }, button));
  }
  return section;
}

export function showFaces(picture, boxes, cards, id) {
  const many = picture.faces.length > 1;
  showBoxes(picture, boxes, many, id);
  if (picture.faces.length === cards.children.length && cards.querySelector(".card")) {
    picture.faces.forEach((face, i) => fill(cards.children[i], face));
  } else {
    cards.replaceChildren(...picture.faces.map((face, i) => card(face, i, many, id)));
  }
  if (!picture.faces.length) {
    cards.replaceChildren(el("div", { class: "nobody" }, el("p", {}, "No face was found.")));
  }
}

// The boxes of the camera's faces, which have an id, are moved, so that style.css can
// ease them. A box that were put into the page again would not move but jump.
function showBoxes(picture, boxes, many, id) {
  const old = new Map([...boxes.children].map((element) => [element.dataset.id, element]));
  const next = picture.faces.flatMap((face, index) => {
    if (!face.box) return [];
    const button = old.get(String(face.id)) ?? box(id);
    place(button, face, picture, index, many);
    return [button];
  });
  const same = next.length === boxes.children.length
    && next.every((button, index) => button === boxes.children[index]);
  if (!same) boxes.replaceChildren(...next);
}

function preview(picture, url) {
  const image = el("img", { src: url, alt: picture.name || "Your picture" });
  image.classList.toggle("small", Math.max(picture.width, picture.height) < 240);
  image.addEventListener("error", () =>
    image.replaceWith(el("p", { class: "no-preview" }, "This browser cannot display this format.")));
  return image;
}

function caption(picture, title) {
  const text = el("figcaption", {}, el("span", { class: "file" }, title),
    ` ${picture.width} × ${picture.height}`);
  if (picture.note && picture.faces.length) {
    text.append(el("span", { class: "note" }, picture.note));
  }
  return text;
}

function box(id) {
  const chip = el("span", { class: "chip" }, "", el("span", { class: "words" }));
  const button = el("button", { type: "button", class: "box" }, chip);
  button.addEventListener("click", () => {
    const target = document.getElementById(`${id}-face-${button.dataset.index}`);
    target?.scrollIntoView({ block: "nearest" });
    target?.focus();
  });
  return button;
}

// With several faces, no chip is wider than its box, so that chips never overlap. Where
// the words do not fit, style.css hides them, and the number remains.
function place(button, face, picture, index, many) {
  const { x, y, width, height } = face.box;
  const words = isUncertain(face) ? face.emotion : `${face.emotion} ${sure(face)}`;
  const chip = button.querySelector(".chip");
  chip.firstChild.data = many ? `${index + 1}` : "";
  chip.querySelector(".words").textContent = words;
  chip.style.setProperty("--room", share(y, height)); // space above, in heights of the box
  button.setAttribute("aria-label", `Face ${many ? `${index + 1} ` : ""}${words}`);
  button.classList.toggle("alone", !many);
  button.classList.toggle("right", x + width / 2 > picture.width / 2);
  Object.assign(button.dataset, { emotion: colour(face.emotion), index, id: face.id ?? "" });
  Object.assign(button.style, {
    left: share(x, picture.width), top: share(y, picture.height),
    width: share(width, picture.width), height: share(height, picture.height),
  });
}

/** A length as a share of another, for CSS. */
export function share(part, whole) {
  return `${(100 * part) / whole}%`;
}

function card(face, index, many, id) {
  const name = el("h3", { class: "emotion" });
  const bars = el("ul", { class: "bars", "aria-label": "Probabilities" });
  const element = el("section", { class: "card", tabindex: "-1", id: `${id}-face-${index}` },
    el("header", {}, el("span", { class: "face" }), name), bars);
  if (many) element.querySelector("header").append(el("span", { class: "number" }, `${index + 1}`));
  for (const emotion of Object.keys(face.probabilities)) {
    const bar = el("li", {}, el("span", { class: "label" }, emotion),
      el("span", { class: "track", "aria-hidden": "true" }, el("span", { class: "level" })),
      el("span", { class: "value" }));
    bar.dataset.emotion = colour(emotion);
    bars.append(bar);
  }
  fill(element, face);
  return element;
}

// The cards of the camera are reused for each frame, so that the bars move smoothly.
function fill(element, face) {
  element.dataset.emotion = colour(face.emotion);
  element.querySelector(".face").replaceChildren(glyph(face.emotion));
  element.querySelector(".emotion").replaceChildren(
    el("span", { class: "word" }, face.emotion), " ",
    el("span", { class: "sure" }, sure(face)));
  Object.entries(face.probabilities).forEach(([emotion, probability], i) => {
    const bar = element.querySelectorAll("li")[i];
    bar.classList.toggle("top", emotion === face.emotion);
    bar.querySelector(".level").style.width = `${100 * probability}%`;
    bar.querySelector(".value").textContent = percent(probability);
  });
}

// The service says "uncertain" where no emotion is probable enough.
function isUncertain(face) {
  return !(face.emotion in face.probabilities);
}

function sure(face) {
  const number = percent(face.confidence);
  if (!isUncertain(face)) return number;
  const [best] = Object.entries(face.probabilities).sort((a, b) => b[1] - a[1])[0];
  return `perhaps ${best}, ${number}`;
}

function colour(emotion) {
  return KNOWN.includes(emotion) ? emotion : "other";
}
