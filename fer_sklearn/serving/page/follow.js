// Follows the faces of the camera from answer to answer, and smooths their probabilities.

const SMOOTH = 500; // Milliseconds after which a frame counts less by a factor of e.
const GONE = 500; // Milliseconds for which a face that is not found keeps its number.
const OVERLAP = 0.2; // Two boxes that overlap less are different faces.

export class Follower {
  constructor() {
    this.faces = []; // id, box, time and smoothed probabilities of each face
    this.next = 0;
  }

  /** The answer with an `id` and smoothed probabilities for each face. */
  follow(picture, now = performance.now()) {
    const known = this.faces.filter((face) => now - face.time < GONE);
    const matches = match(picture.faces, known);
    const faces = picture.faces.map((face, index) => {
      const before = matches.get(index);
      const id = before?.id ?? this.next++;
      const probabilities = smoothed(face.probabilities, before, now);
      const [best, confidence] = Object.entries(probabilities).sort((a, b) => b[1] - a[1])[0];
      // The service says "uncertain" where no emotion is probable enough.
      const emotion = face.emotion in probabilities ? best : face.emotion;
      return { ...face, id, probabilities, emotion, confidence };
    });
    const found = new Set(faces.map((face) => face.id));
    this.faces = [
      ...known.filter((face) => !found.has(face.id)),
      ...faces.map((face) => ({ ...face, time: now })),
    ];
    return { ...picture, faces };
  }
}

// The pair with the largest overlap first, then the largest of the others.
function match(faces, known) {
  const pairs = faces.flatMap((face, index) => known.map((before) =>
    ({ index, before, overlap: overlap(face.box, before.box) })));
  const matches = new Map();
  const taken = new Set();
  for (const pair of pairs.sort((one, other) => other.overlap - one.overlap)) {
    if (pair.overlap < OVERLAP || matches.has(pair.index) || taken.has(pair.before)) continue;
    matches.set(pair.index, pair.before);
    taken.add(pair.before);
  }
  return matches;
}

// Intersection over union. A face without a box is the whole picture.
function overlap(one, other) {
  if (!one || !other) return one || other ? 0 : 1;
  const width = Math.min(one.x + one.width, other.x + other.width) - Math.max(one.x, other.x);
  const height = Math.min(one.y + one.height, other.y + other.height) - Math.max(one.y, other.y);
  const shared = Math.max(0, width) * Math.max(0, height);
  return shared / (one.width * one.height + other.width * other.height - shared);
}

function smoothed(probabilities, before, now) {
  if (!before) return probabilities;
  const weight = Math.exp(-(now - before.time) / SMOOTH);
  return Object.fromEntries(Object.entries(probabilities).map(([emotion, probability]) =>
    [emotion, weight * before.probabilities[emotion] + (1 - weight) * probability]));
}
