// A strip of the last seconds: the mean probabilities of the faces, one column per moment.

import { percent } from "./view.js";

const SECONDS = 30;
const COLUMNS = 300;
const STEP = (1000 * SECONDS) / COLUMNS; // milliseconds per column

export class Strip {
  /**
   * @param canvas what is drawn on
   * @param caption element for the same in words
   */
  constructor(canvas, caption) {
    Object.assign(this, { canvas, caption });
    this.frames = []; // time, and mean probabilities, or null without a face
    this.written = -Infinity;
    canvas.width = COLUMNS;
    canvas.height = 100;
    this.draw(0);
    caption.textContent = "";
  }

  add(picture, now = performance.now()) {
    this.frames = this.frames.filter((frame) => now - frame.time < 1000 * SECONDS);
    this.frames.push({ time: now, mean: mean(picture.faces) });
    this.draw(now);
    // Numbers that change with every frame could not be read.
    if (now - this.written < 1000) return;
    this.written = now;
    this.caption.textContent = this.words(now);
  }

  draw(now) {
    const { canvas } = this;
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    this.frames.forEach(({ time, mean }, index) => {
      const end = this.frames[index + 1]?.time ?? now;
      // Whole columns: the edges of others would be transparent.
      const left = Math.floor(COLUMNS - (now - time) / STEP);
      const width = Math.ceil((end - time) / STEP) + 1;
      let top = 0;
      for (const [emotion, share] of Object.entries(mean ?? {})) {
        const hue = style.getPropertyValue(`--${emotion}`) || style.getPropertyValue("--other");
        context.fillStyle = hue;
        context.fillRect(left, top, width, 100 * share);
        top += 100 * share;
      }
    });
  }

  words(now) {
    const recent = this.frames.filter((frame) => now - frame.time < 2000);
    const means = this.frames.flatMap((frame) => frame.mean ?? []);
    const seconds = (now - recent[0].time) / 1000;
    const rate = seconds ? `${Math.round((recent.length - 1) / seconds)} frames per second` : "";
    if (!means.length) return rate;
    const shares = Object.keys(means[0])
      .map((emotion) => [emotion, means.reduce((sum, m) => sum + m[emotion], 0) / means.length])
      .sort((one, other) => other[1] - one[1])
      .filter(([, share]) => share >= 0.05);
    const names = shares.slice(0, 3).map(([emotion, share]) => `${emotion} ${percent(share)}`);
    return `Last ${SECONDS} seconds: ${names.join(", ")}. ${rate}`;
  }
}

function mean(faces) {
  if (!faces.length) return null;
  return Object.fromEntries(Object.keys(faces[0].probabilities).map((emotion) =>
    [emotion, faces.reduce((sum, face) => sum + face.probabilities[emotion], 0) / faces.length]));
}
