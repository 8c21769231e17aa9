// A line drawing of each emotion in a 24 x 24 square: brows, eyes, mouth.

const EYES = "M9 10.2v1.3M15 10.2v1.3";
const WIDE = "M9 9.800a.9.9 0 1 0 .01 0M15 9.800a.9.9 0 1 0 .01 0";

const GLYPHS = {
  angry: ["M7 7.600l3.400 1.600M17 7.600l-3.400 1.600", EYES, "M8.500 16.800q3.500-2.600 7 0"],
  disgust: ["M7 8.600l3.200.4M17 7.400l-3.200 1", "M8 11l2 .3M14 11l2-.3",
    "M8 16q1.500-1.600 3 0t3 0t2-.6"],
  fear: ["M7 8.200l3-1.400M17 8.200l-3-1.400", WIDE, "M8.500 16.400q1-1.500 2.300 0t2.400 0t2.300 0"],
  happy: ["M7.400 7.800q1.500-1 3 0M13.600 7.800q1.500-1 3 0", EYES, "M7.600 14.200q4.400 5 8.800 0"],
  sad: ["M7 8.600l3-1.500M17 8.600l-3-1.500", EYES, "M8.800 17q3.200-2.800 6.400 0"],
  surprise: ["M7 6.800q1.600-1.200 3.200 0M13.800 6.800q1.600-1.200 3.200 0", WIDE,
    "M12 13.800a1.900 2.200 0 1 0 .01 0"],
  neutral: ["M7.400 7.800h2.800M13.800 7.800h2.800", EYES, "M9 15.800h6"],
};

export function glyph(emotion) {
  const svg = make("svg", { viewBox: "0 0 24 24", class: "glyph", "aria-hidden": "true" });
  svg.append(make("circle", { cx: 12, cy: 12, r: 10.4 }));
  for (const d of GLYPHS[emotion] ?? GLYPHS.neutral) svg.append(make("path", { d }));
  return svg;
}

function make(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
