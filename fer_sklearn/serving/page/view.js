// Shows answers: boxes over a picture, and a card with bars for each face.

import { glyph } from "./glyphs.js";

const KNOWN = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];

/** An element with attributes and children; text is never taken as HTML. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function percent(probability) {
  return `${Math.round(100 * probability)} %`;
}

/** "2 faces: happy, 93 %; sad, 60 %." */
export function sentence(picture) {
  const faces = picture.faces;
  if (!faces.length) return picture.note ?? "No face was found.";
  const names = faces.slice(0, 5).map((f) => `${f.emotion}, ${percent(f.confidence)}`);
  const more = faces.length > 5 ? "; and more" : "";
  return `${faces.length === 1 ? "1 face" : `${faces.length} faces`}: ${names.join("; ")}${more}.`;
}

export function showPicture(picture, url, id) {
  const boxes = el("div", { class: "boxes" });
  const cards = el("div", { class: "cards" });
  const title = picture.name || "Picture";
  const section = el("article", { class: "result", "aria-label": title },
    el("figure", {},
      el("div", { class: "stage" }, preview(picture, url), boxes),
      caption(picture, title)),
    cards);
  showFaces(picture, boxes, cards, id);
  return section;
}

export function showFaces(picture, boxes, cards, id, mirrored = false) {
  const many = picture.faces.length > 1;
  boxes.replaceChildren(...picture.faces.flatMap((face, i) =>
    face.box ? [box(face, picture, i, many, id, mirrored)] : []));
  if (picture.faces.length === cards.children.length && cards.querySelector(".card")) {
    picture.faces.forEach((face, i) => fill(cards.children[i], face));
  } else {
    cards.replaceChildren(...picture.faces.map((face, i) => card(face, i, many, id)));
  }
  if (!picture.faces.length) cards.replaceChildren(noFace(picture));
}

function preview(picture, url) {
  const image = el("img", { src: url, alt: `${picture.name || "The picture"} as it was sent` });
  image.addEventListener("error", () =>
    image.replaceWith(el("p", { class: "no-preview" }, "This browser cannot show this format.")));
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

function noFace(picture) {
  return el("p", { class: "nobody" }, picture.note ?? "No face was found.");
}

function box(face, picture, index, many, id, mirrored) {
  const { x, y, width, height } = face.box;
  const left = mirrored ? picture.width - x - width : x;
  const label = `${many ? `${index + 1} ` : ""}${face.emotion} ${percent(face.confidence)}`;
  const button = el("button", { type: "button", class: "box", "aria-label": `Face ${label}` },
    el("span", {}, label));
  if (y < 0.12 * picture.height) button.classList.add("below");
  button.dataset.emotion = colour(face.emotion);
  Object.assign(button.style, {
    left: share(left, picture.width), top: share(y, picture.height),
    width: share(width, picture.width), height: share(height, picture.height),
  });
  button.addEventListener("click", () => {
    const target = document.getElementById(`${id}-face-${index}`);
    target?.scrollIntoView({ block: "nearest" });
    target?.focus();
  });
  return button;
}

function share(part, whole) {
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

// Cards are kept from frame to frame of the camera, so that the bars move.
function fill(element, face) {
  element.dataset.emotion = colour(face.emotion);
  element.querySelector(".face").replaceChildren(glyph(face.emotion));
  element.querySelector(".emotion").replaceChildren(
    el("span", { class: "word" }, face.emotion), " ",
    el("span", { class: "sure" }, percent(face.confidence)));
  Object.entries(face.probabilities).forEach(([emotion, probability], i) => {
    const bar = element.querySelectorAll("li")[i];
    bar.classList.toggle("top", emotion === face.emotion);
    bar.querySelector(".level").style.width = `${100 * probability}%`;
    bar.querySelector(".value").textContent = percent(probability);
  });
}

function colour(emotion) {
  return KNOWN.includes(emotion) ? emotion : "other";
}
