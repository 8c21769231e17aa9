// What a prediction rests on, as a layer over the face: orange where covering the face
// makes the emotion less probable, purple where it makes it more probable.

import { el, percent, share } from "./view.js";

const LESS = [230, 97, 1];
const MORE = [94, 60, 153];

/** The layer of an answer of /explain. A face without a box is the middle of the picture. */
export function layer({ falls }, face, picture) {
  const rows = falls.length;
  const columns = falls[0].length;
  const canvas = el("canvas", { class: "why", width: columns, height: rows, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  // Falls of a few points stay pale.
  const limit = Math.max(0.1, ...falls.flat().map(Math.abs));
  falls.flat().forEach((fall, pixel) => {
    // The face shows through where covering changes nothing.
    const alpha = 255 * 0.75 * Math.sqrt(Math.abs(fall) / limit);
    image.data.set([...(fall > 0 ? LESS : MORE), alpha], 4 * pixel);
  });
  context.putImageData(image, 0, 0);
  const { x, y, width, height } = face.whole ?? middle(picture);
  Object.assign(canvas.style, {
    left: share(x, picture.width), top: share(y, picture.height),
    width: share(width, picture.width), height: share(height, picture.height),
  });
  return canvas;
}

function middle({ width, height }) {
  const side = Math.min(width, height);
  return { x: (width - side) / 2, y: (height - side) / 2, width: side, height: side };
}

export function words({ emotion, confidence, lowest }) {
  if (confidence - lowest < 0.05) {
    return `No part decides alone: whichever is covered, the probability of ${emotion} is at ` +
      `least ${percent(lowest)}.`;
  }
  return `Orange parts speak for ${emotion}: with one of them covered, its probability falls ` +
    `from ${percent(confidence)} to as little as ${percent(lowest)}. Purple parts speak against it.`;
}
