// Requests to the service. Addresses are relative, so that they also work behind a proxy
// that serves the page under a path.

const KEY = "fer_sklearn token";

/** A refused request: status, sentence, and the seconds to wait if the service says so. */
export class Refused extends Error {
  constructor(status, sentence, wait = 0) {
    super(sentence);
    this.status = status;
    this.wait = wait;
  }
}

let token = sessionStorage.getItem(KEY);
let asking = null;

export async function getModel() {
  return (await call("model")).json();
}

/** What the prediction of a face rests on; `face` is its place in the answer of predict. */
export async function explain(blob, name, cropped, face) {
  const form = new FormData();
  form.append("files", blob, plainName(name));
  const query = new URLSearchParams(cropped ? { cropped, face } : { face });
  return (await call(`explain?${query}`, { method: "POST", body: form })).json();
}

/** `near` has the boxes of the faces in the frame before, if there is one. */
export async function predict(blob, name, cropped, { near = [], signal } = {}) {
  const form = new FormData();
  form.append("files", blob, plainName(name));
  const query = new URLSearchParams(cropped ? { cropped } : {});
  for (const { x, y, width, height } of near) query.append("near", [x, y, width, height]);
  const answer = await call(`predict?${query}`, { method: "POST", body: form, signal });
  return (await answer.json()).pictures[0];
}

async function call(path, options = {}) {
  for (;;) {
    const used = token;
    const answer = await send(path, options, used);
    if (answer.ok) return answer;
    if (answer.status === 401 && (await newToken(used))) continue;
    throw await refusal(answer);
  }
}

async function send(path, options, used) {
  const headers = used ? { Authorization: `Bearer ${used}` } : {};
  try {
    return await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The service does not respond. Is it still running?", 2);
  }
}

async function refusal(answer) {
  const wait = Number(answer.headers.get("Retry-After")) || 0;
  try {
    return new Refused(answer.status, (await answer.json()).detail, wait);
  } catch {
    return new Refused(answer.status, `The service responded with status ${answer.status}.`, wait);
  }
}

// Two requests may need a token at the same time; one dialog serves both.
function newToken(used) {
  if (used !== token) return Promise.resolve(true);
  asking ??= askToken().finally(() => { asking = null; });
  return asking;
}

function askToken() {
  const dialog = document.getElementById("token-dialog");
  const field = document.getElementById("token");
  field.value = dialog.returnValue = "";
  document.getElementById("token-form").onsubmit = (event) => {
    event.preventDefault();
    dialog.close("continue");
  };
  document.getElementById("token-cancel").onclick = () => dialog.close();
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      if (dialog.returnValue !== "continue") return resolve(false);
      // Headers are Latin-1 in fetch, so each byte of the UTF-8 becomes a character.
      token = String.fromCharCode(...new TextEncoder().encode(field.value.trim()));
      sessionStorage.setItem(KEY, token);
      resolve(true);
    };
  });
}

// The service refuses names that look like paths; the name is only a label.
function plainName(name) {
  return name.replace(/[/\\:]/g, "_").replace(/\p{C}/gu, "").replace(/^\.\.$/, "_");
}
