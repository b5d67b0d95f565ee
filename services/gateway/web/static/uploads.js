// Uploads that go on after a broken connection (tus 1.0). They belong to the tab, not to a view: leaving a view stops none.
import { markRaw, reactive, watch } from "vue";

const PIECE_BYTES = 8 * 1024 * 1024;
const PARALLEL = 2;
const STALL_MS = 30000;
const WAITS_MS = [1000, 2000, 4000, 8000, 15000, 30000, 30000, 30000];
const OPEN = "chorus.upload.";
const FINISHED = "chorus.finished.";
const BEAT_MS = 2000;
// What is dropped there waits, whole, until an admin begins to import it.
const MODELS = "import-model";

export const uploads = reactive([]);
export const leftovers = reactive([]);
let last = 0;

class Refusal extends Error {}
class NoRoom extends Error {}

export function add(zone, file, refusal) {
  const upload = reactive({
    key: ++last,
    zone,
    name: file.name,
    size: file.size,
    sent: 0,
    state: refusal ? "refused" : "waiting",
    message: refusal || "",
    fingerprint: `${OPEN}${zone}|${file.name}|${file.size}|${file.lastModified}`,
    address: null,
    request: null,
    file: markRaw(file),
  });
  if (uploads.some((other) => other.fingerprint === upload.fingerprint && other.state !== "refused")) return;
  uploads.push(upload);
  lookForLeftovers();
  startNext();
}

export function cancel(upload) {
  const address = upload.address;
  upload.state = "cancelled";
  upload.request?.abort();
  remove(upload);
  localStorage.removeItem(upload.fingerprint);
  if (address) fetch(address, { method: "DELETE", headers: { "Tus-Resumable": "1.0.0" } }).catch(() => {});
  startNext();
}

export function tryAgain(upload) {
  Object.assign(upload, { state: "waiting", message: "" });
  startNext();
}

export function forget(leftover) {
  localStorage.removeItem(leftover.fingerprint);
  fetch(leftover.address, { method: "DELETE", headers: { "Tus-Resumable": "1.0.0" } }).catch(() => {});
  lookForLeftovers();
}

// The server has put the file into its list: the row in the browser has done its work.
export function settle(mediaId) {
  localStorage.removeItem(FINISHED + mediaId);
  const upload = uploads.find((each) => each.mediaId === mediaId);
  if (upload) remove(upload);
}

// One that is sent counts until the server has it in its list: nothing may start without it.
export function countBusy() {
  return uploads.filter((each) => isUnderWay(each) || each.state === "finished").length;
}

function isUnderWay(upload) {
  return ["waiting", "sending", "pausing", "checking"].includes(upload.state);
}

function remove(upload) {
  const index = uploads.indexOf(upload);
  if (index >= 0) uploads.splice(index, 1);
}

function startNext() {
  const running = uploads.filter((each) => ["sending", "pausing", "checking"].includes(each.state)).length;
  const waiting = uploads.filter((each) => each.state === "waiting");
  for (const upload of waiting.slice(0, Math.max(0, PARALLEL - running))) run(upload);
}

async function run(upload) {
  let failures = 0;
  upload.state = "sending";
  while (upload.state === "sending" || upload.state === "pausing") {
    const before = upload.sent;
    try {
      await sendAll(upload);
      return;
    } catch (error) {
      if (upload.state === "cancelled") return;
      if (error instanceof Refusal) {
        Object.assign(upload, { state: "refused", message: error.message });
        localStorage.removeItem(upload.fingerprint);
        break;
      }
      if (error instanceof NoRoom) {
        Object.assign(upload, { state: "stopped", message: error.message });
        break;
      }
      failures = upload.sent > before ? 0 : failures + 1;
      if (failures >= WAITS_MS.length) {
        upload.state = "stopped";
        break;
      }
      upload.state = "pausing";
      await pause(WAITS_MS[failures]);
    }
  }
  startNext();
}

async function sendAll(upload) {
  await open(upload);
  while (upload.sent < upload.size) {
    upload.state = "sending";
    await sendPiece(upload);
  }
  const id = upload.zone === MODELS ? upload.address.split("/").at(-1) : await makeMedia(upload);
  upload.mediaId = id;
  upload.state = "finished";
  const note = { zone: upload.zone, media_id: id, name: upload.name };
  localStorage.setItem(FINISHED + id, JSON.stringify(note));
  localStorage.removeItem(upload.fingerprint);
  emitEvent("chorus_uploaded", note);
  startNext();
}

async function makeMedia(upload) {
  upload.state = "checking";
  const answer = await fetch(`${upload.address}/media`, { method: "POST" });
  if (!answer.ok) throw await asError(answer);
  return (await answer.json()).id;
}

// Goes on with what the server has of this file, or begins anew.
async function open(upload) {
  const known = JSON.parse(localStorage.getItem(upload.fingerprint) || "null");
  if (known) {
    const answer = await fetch(known.address, { method: "HEAD", headers: { "Tus-Resumable": "1.0.0" } });
    if (answer.ok) {
      upload.address = known.address;
      upload.sent = Number(answer.headers.get("Upload-Offset"));
      beat(upload);
      return;
    }
    if (answer.status >= 500) throw new Error(answer.statusText);
  }
  const purpose = btoa(upload.zone === MODELS ? "model" : "media");
  const name = btoa(String.fromCharCode(...new TextEncoder().encode(upload.name)));
  const answer = await fetch("/v1/uploads", {
    method: "POST",
    headers: { "Tus-Resumable": "1.0.0", "Upload-Length": upload.size, "Upload-Metadata": `filename ${name},purpose ${purpose}` },
  });
  if (!answer.ok) throw await asError(answer);
  upload.address = answer.headers.get("Location");
  upload.sent = 0;
  beat(upload);
}

function sendPiece(upload) {
  const start = upload.sent;
  const piece = upload.file.slice(start, start + PIECE_BYTES);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let stall = setTimeout(() => request.abort(), STALL_MS);
    request.open("PATCH", upload.address);
    request.setRequestHeader("Tus-Resumable", "1.0.0");
    request.setRequestHeader("Upload-Offset", start);
    request.setRequestHeader("Content-Type", "application/offset+octet-stream");
    request.upload.onprogress = (event) => {
      clearTimeout(stall);
      stall = setTimeout(() => request.abort(), STALL_MS);
      upload.sent = start + event.loaded;
      beat(upload);
    };
    // All is sent: the server looks into the whole file before it answers.
    request.upload.onload = () => {
      clearTimeout(stall);
      stall = setTimeout(() => request.abort(), 3 * STALL_MS);
    };
    request.onloadend = () => {
      clearTimeout(stall);
      upload.request = null;
      if (request.status === 204) {
        upload.sent = Number(request.getResponseHeader("Upload-Offset") ?? start + piece.size);
        return resolve();
      }
      upload.sent = start;
      reject(refusalOf(request.status, request.responseText) || new Error("broken"));
    };
    upload.request = request;
    request.send(piece);
  });
}

async function asError(answer) {
  return refusalOf(answer.status, await answer.text()) || new Error(answer.statusText);
}

// 409: the server has another part of the file than we think, ask it; 404, 410: begin anew; 429 and 5xx pass, but 507
// only when somebody makes room: the server keeps what it has until then.
function refusalOf(status, body) {
  if (![400, 401, 403, 413, 415, 422, 507].includes(status)) return null;
  const kind = status === 507 ? NoRoom : Refusal;
  try {
    return new kind(JSON.parse(body).error.message);
  } catch {
    return new kind(`HTTP ${status}`);
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    window.addEventListener("online", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

function beat(upload) {
  const now = Date.now();
  if (now - (upload.beaten || 0) < BEAT_MS / 2) return;
  upload.beaten = now;
  const { zone, name, size, sent, address } = upload;
  localStorage.setItem(upload.fingerprint, JSON.stringify({ zone, name, size, sent, address, at: now }));
}

// What an earlier page began and did not finish: the same file, chosen again, goes on where it stopped.
function lookForLeftovers() {
  const mine = new Set(uploads.map((each) => each.fingerprint));
  const found = [];
  for (const fingerprint of Object.keys(localStorage).filter((key) => key.startsWith(OPEN))) {
    const note = JSON.parse(localStorage.getItem(fingerprint));
    if (!mine.has(fingerprint) && Date.now() - note.at > 3 * BEAT_MS) found.push({ ...note, fingerprint });
  }
  if (JSON.stringify(found) !== JSON.stringify(leftovers)) leftovers.splice(0, leftovers.length, ...found);
}

function tellBusy() {
  if (window.did_handshake) emitEvent("chorus_uploading", countBusy());
}

// What was lost on its way to the server is said again; what it has heard already changes nothing there.
function tellAgain() {
  if (!window.did_handshake) return;
  tellBusy();
  for (const key of Object.keys(localStorage).filter((each) => each.startsWith(FINISHED)))
    emitEvent("chorus_uploaded", JSON.parse(localStorage.getItem(key)));
}

window.chorusUploads = { settle };
window.addEventListener("beforeunload", (event) => uploads.some(isUnderWay) && event.preventDefault());
watch(countBusy, tellBusy);
setInterval(lookForLeftovers, BEAT_MS);
setInterval(tellAgain, BEAT_MS);
lookForLeftovers();
