// The picture with its boxes and emotions, as a file.

/** Draw what an article of the results shows into a canvas. */
export function drawn(article, picture) {
  const image = article.querySelector("img");
  const canvas = document.createElement("canvas");
  // A face of 48 pixels is enlarged, as on the page.
  const scale = Math.max(1, Math.round(image.clientWidth / picture.width));
  canvas.width = scale * picture.width;
  canvas.height = scale * picture.height;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const size = Math.max(13, Math.round(Math.max(canvas.width, canvas.height) / 50));
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  context.lineWidth = Math.max(2, size / 7);
  for (const button of article.querySelectorAll(".box")) {
    const face = picture.faces[button.dataset.index];
    const { x, y, width, height } = scaled(face.box, scale);
    const style = getComputedStyle(button);
    context.strokeStyle = context.fillStyle = style.getPropertyValue("--hue");
    context.strokeRect(x, y, width, height);
    const words = button.querySelector(".chip").textContent.trim();
    const chip = context.measureText(words).width + size;
    const top = Math.max(0, y - 1.6 * size);
    const left = Math.max(0, Math.min(x, canvas.width - chip));
    context.fillRect(left, top, chip, 1.6 * size);
    context.fillStyle = style.getPropertyValue("--paper");
    context.fillText(words, left + size / 2, top + 0.8 * size);
  }
  return canvas;
}

function scaled(box, scale) {
  return Object.fromEntries(Object.entries(box).map(([name, value]) => [name, scale * value]));
}
