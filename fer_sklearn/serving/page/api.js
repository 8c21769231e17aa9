// Talks to the service. Addresses are relative, so that it also works behind a proxy
// that puts the service below a path.

const KEY = "fer_sklearn token";

/** A refusal: its status, its sentence, and the seconds to wait where it says so. */
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

export async function predict(blob, name, cropped, { signal } = {}) {
  const form = new FormData();
  form.append("files", blob, plainName(name));
  const query = cropped ? "?cropped=true" : "";
  const answer = await call(`predict${query}`, { method: "POST", body: form, signal });
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
    throw new Refused(0, "The service does not answer. Is it still running?", 2);
  }
}

async function refusal(answer) {
  const wait = Number(answer.headers.get("Retry-After")) || 0;
  try {
    return new Refused(answer.status, (await answer.json()).detail, wait);
  } catch {
    return new Refused(answer.status, `The service answered ${answer.status}.`, wait);
  }
}

// Two requests may find out at once that a token is missing: one dialog for both.
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
    dialog.close("go on");
  };
  document.getElementById("token-cancel").onclick = () => dialog.close();
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      if (dialog.returnValue !== "go on") return resolve(false);
      // A header takes bytes, each as a character.
      token = String.fromCharCode(...new TextEncoder().encode(field.value.trim()));
      sessionStorage.setItem(KEY, token);
      resolve(true);
    };
  });
}

// The service refuses names that look like paths, and a name is only a label.
function plainName(name) {
  return name.replace(/[/\\:]/g, "_").replace(/\p{C}/gu, "").replace(/^\.\.$/, "_");
}
