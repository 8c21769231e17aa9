// The camera: sends frames to the service, one at a time.

import { predict } from "./api.js";

const WIDEST = 640; // Pixels; larger frames take longer, and hardly more faces are found.
const WHOLE = 300; // Milliseconds between two searches of a whole frame.
const MOST = 16; // Faces that the service searches near their last place.

export class Camera {
  /**
   * @param video element that shows the camera picture
   * @param show called with each answer and whether the picture is mirrored
   * @param fail called with the error that stopped the camera
   */
  constructor(video, { show, fail }) {
    Object.assign(this, { video, show, fail });
    this.square = false; // Whether only the middle is sent, as one face.
    this.facing = "user";
    this.canvas = document.createElement("canvas");
  }

  async start() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("Browsers allow the camera only on https pages and on " +
        "localhost. Choose a photo instead.");
    }
    this.stopped = new AbortController();
    const { signal } = this.stopped;
    const stream = await this.open();
    if (signal.aborted) return end(stream);
    this.stream = stream;
    this.video.srcObject = stream;
    const track = stream.getVideoTracks()[0];
    track.addEventListener("ended", () => this.fail(new Error("The camera was disconnected.")));
    this.mirrored = (track.getSettings().facingMode ?? this.facing) === "user";
    this.video.classList.toggle("mirrored", this.mirrored);
    await this.video.play();
    this.run(signal);
  }

  async open() {
    try {
      return await navigator.mediaDevices.getUserMedia({
        audio: false, video: { facingMode: this.facing, width: { ideal: 1280 } },
      });
    } catch (error) {
      const why = {
        NotAllowedError: "The browser blocked the camera. Allow it for this page, or choose a photo.",
        NotFoundError: "No camera was found. Choose a photo instead.",
        NotReadableError: "Another program is using the camera.",
      };
      throw new Error(why[error.name] ?? `The camera could not start: ${error.message}`);
    }
  }

  stop() {
    this.stopped?.abort();
    if (this.stream) end(this.stream);
    this.stream = this.video.srcObject = null;
  }

  async turn() {
    this.stop();
    this.facing = this.facing === "user" ? "environment" : "user";
    await this.start();
  }

  static async count() {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    return devices.filter((device) => device.kind === "videoinput").length;
  }

  async run(signal) {
    while (!signal.aborted) {
      try {
        const { square } = this;
        const blob = await this.frame();
        const near = square ? [] : this.near();
        const picture = await predict(blob, "camera.jpg", square, { near, signal });
        this.last = picture;
        // An answer to a frame from before "Treat as one face" was pressed is not shown.
        if (!signal.aborted && square === this.square) this.show(picture, this.mirrored);
        await nextPaint();
      } catch (error) {
        if (signal.aborted) return;
        if (!error.wait) return this.fail(error);
        await pause(1000 * error.wait);
      }
    }
  }

  /** The boxes of the last frame, unless it is time to search a whole frame again. */
  near() {
    const { width, height } = this.canvas;
    const boxes = (this.last?.faces ?? []).flatMap((face) => face.box ?? []);
    const same = this.last?.width === width && this.last?.height === height;
    const now = performance.now();
    if (same && boxes.length && boxes.length <= MOST && now - this.searched < WHOLE) return boxes;
    this.searched = now;
    return [];
  }

  frame() {
    const { videoWidth, videoHeight } = this.video;
    const width = this.square ? Math.min(videoWidth, videoHeight) : videoWidth;
    const height = this.square ? width : videoHeight;
    const scale = Math.min(1, WIDEST / Math.max(width, height));
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.canvas.getContext("2d").drawImage(
      this.video, (videoWidth - width) / 2, (videoHeight - height) / 2, width, height,
      0, 0, this.canvas.width, this.canvas.height);
    return new Promise((resolve, reject) => this.canvas.toBlob(
      (blob) => blob ? resolve(blob) : reject(new Error("The camera returned no picture.")),
      "image/jpeg", 0.9));
  }
}

function end(stream) {
  for (const track of stream.getTracks()) track.stop();
}

// A page that is not visible is not painted, and sends no frames.
function nextPaint() {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
