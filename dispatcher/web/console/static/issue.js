// The issue page: the map's drawing goes into the form, the form is counted and read back by the server, and nothing typed is
// lost. Without this the page is whole: names instead of a map, and a page of its own after saving.
import "./warning-map.js";

const form = document.getElementById("issue");
const area = document.getElementById("area");
const sketch = document.getElementById("sketch");
const map = document.getElementById("map");
const strip = document.getElementById("audience");
const unread = document.getElementById("unread");
let dirty = false;

const tell = (name) => form.dispatchEvent(new CustomEvent(name, { bubbles: false }));
const words = (element, text) => { element.textContent = text; };
const FORGED = "forged_form";

/** A sentence for whoever pressed. Any other error is a fault of this script. */
class Told extends Error {}

const asked = async (path, options) => {
  const limit = new AbortController(); // AbortSignal.timeout came with Chromium 103
  const timer = setTimeout(() => limit.abort(), 10000);
  try {
    const answer = await fetch(path, { ...options, signal: limit.signal });
    return { answer, text: await answer.text() };
  } catch (error) {
    throw new Told(form.dataset.away);
  } finally {
    clearTimeout(timer);
  }
};
const read = (text) => {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Told(form.dataset.away); // a proxy's own page
  }
};
// whoever signed in again, in another tab, has another key: this page asks for it, and keeps what was typed
const renew = async (used) => {
  const { answer, text } = await asked(form.getAttribute("action"), { headers: { Accept: "text/html" } });
  const shown = new DOMParser().parseFromString(text, "text/html");
  const here = document.querySelector("form.out");
  const there = shown.querySelector("form.out");
  if (here && there && here.dataset.who !== there.dataset.who)
    throw new Told(form.dataset.another + there.querySelector("span").textContent); // nobody saves in another's name
  const key = shown.querySelector("#issue [name=key]")?.value;
  if (answer.redirected || !key) throw new Told(form.dataset.asleep);
  form.elements.key.value = key;
  return key !== used; // another who was refused at the same time may have it already
};
const post = async (path) => {
  const used = form.elements.key.value;
  const body = new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === "string"));
  const { answer, text } = await asked(path, { method: "POST", body, headers: { Accept: "application/json" } });
  if (answer.status === 401 || answer.redirected) throw new Told(form.dataset.asleep);
  const said = read(text);
  if (said.code === FORGED && (await renew(used))) return post(path);
  if (!answer.ok) throw new Told(said.detail || form.dataset.away);
  return said;
};

// ── the map ──
map.drawing = JSON.parse(area.value || "{}");
map.addEventListener("drawing", ({ detail }) => {
  area.value = JSON.stringify(detail.drawing);
  sketch.value = detail.sketch ? JSON.stringify(detail.sketch) : "";
  tell("redrawn");
  if (!detail.sketch) {
    dirty = true;
    tell("typed");
  }
});
map.addEventListener("pointed", ({ detail }) => words(document.getElementById("pointer"), detail));

const colour = () => {
  const said = strip.querySelector("[data-hits]")?.dataset.hits || "";
  map.hits = new Map(said.split(" ").filter(Boolean).map((one) => [one.split(":")[0], one.endsWith(":1")]));
};
new MutationObserver(colour).observe(strip, { childList: true, subtree: true });
colour();
strip.addEventListener("click", (event) => {
  const code = event.target.closest("[data-remove]")?.dataset.remove;
  if (code) map.removeCode(code);
});

const tools = form.querySelector(".drawing");
tools.hidden = false;
tools.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { tool, act } = button.dataset;
  if (tool) {
    for (const one of tools.querySelectorAll("[data-tool]")) one.setAttribute("aria-pressed", String(one === button));
    tools.dataset.on = tool;
    map.tool(tool);
  }
  if (act) map[act]();
});
document.getElementById("width").addEventListener("input", (event) => {
  const km = Number(event.target.value);
  if (km > 0) map.width = km;
});
document.addEventListener("keydown", (event) => {
  const held = document.activeElement?.tagName || "";
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(held);
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && !typing) {
    event.preventDefault();
    map.undo();
  }
  if (event.key === "Escape" && !typing) map.tool(tools.dataset.on || "pick");
  if (event.key === "Enter" && /^(BODY|WARNING-MAP)$/.test(held)) map.finish();
});

// ── pasted names, a file ──
const add = document.getElementById("addnames");
const pasted = document.getElementById("names");
add.hidden = false;
const take = (said) => {
  if (said.codes.length) map.addCodes(said.codes);
  pasted.value = said.unread.join("\n");
  words(unread, said.unread.length ? form.dataset.unread + said.unread.join("、") : "");
  map.fit();
};
add.addEventListener("click", async () => {
  try {
    take(await post("/issue/names"));
  } catch (error) {
    words(unread, error.message);
  }
});
document.getElementById("geojson").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  try {
    holes = 0;
    const rings = ringsOf(JSON.parse(await file.text()));
    if (!rings.length) throw new Error(form.dataset.noshape);
    if (!map.addPolygons(rings)) throw new Error(form.dataset.toomany);
    words(unread, holes ? form.dataset.holes + holes : "");
    if (holes) unread.closest("details").open = true;
  } catch (error) {
    words(unread, error instanceof SyntaxError ? form.dataset.notjson : error.message);
    unread.closest("details").open = true;
  }
  event.target.value = "";
});

let holes = 0;

function outer(rings) {
  holes += rings.length - 1;
  return rings[0].map(([lon, lat]) => [lat, lon]);
}

/** Outer rings, latitude first; what is a hole cannot be said in a warning, is filled in, and counted. */
function ringsOf(said) {
  if (!said || typeof said !== "object") return [];
  switch (said.type) {
    case "FeatureCollection": return (said.features || []).flatMap(ringsOf);
    case "Feature": return ringsOf(said.geometry);
    case "GeometryCollection": return (said.geometries || []).flatMap(ringsOf);
    case "Polygon": return [outer(said.coordinates)];
    case "MultiPolygon": return said.coordinates.map(outer);
    default: return [];
  }
}

// ── the words ──
const links = document.querySelectorAll(".quick a");
const level = () => form.querySelector("[name=level]:checked")?.value || "none";
const dress = () => {
  const body = document.body.classList;
  body.remove("red", "orange", "yellow", "blue", "none");
  body.add(level());
  const box = form.querySelector("input[type=checkbox][name=drill]");
  if (box) {
    body.toggle("drill", box.checked);
    document.querySelector(".drillband").hidden = !box.checked;
    // a template chosen now is a drill's too
    for (const link of links) {
      const url = new URL(link.href);
      if (box.checked) url.searchParams.set("drill", "1");
      else url.searchParams.delete("drill");
      link.href = url;
    }
  }
  for (const link of links) {
    const wanted = new URL(link.href).searchParams;
    const shown = wanted.get("hazard") === form.elements.hazard.value && wanted.get("level") === level();
    if (shown) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  map.recolour?.();
};
// a template's words say that they are a drill's: they say so as long as the box does
const mark = () => {
  const box = form.querySelector("input[type=checkbox][name=drill]");
  if (!box) return;
  const { description } = form.elements;
  const begins = form.dataset.begins;
  const untouched = String(written()) === filled;
  const bare = description.value.replace(begins, "");
  description.value = box.checked && bare ? begins + bare : bare;
  if (untouched) filled = String(written());
};
form.addEventListener("input", (event) => {
  if (event.target.id === "names" || event.target.form !== form) return;
  dirty = true;
  if (event.target.name === "drill") mark();
  if (["level", "drill", "hazard"].includes(event.target.name)) dress();
  if (["level", "drill", "internal", "hazard"].includes(event.target.name) || event.target.closest(".narrow")) tell("redrawn");
  tell("typed");
});
// A template is laid over what stands here; what a hand wrote can be had back.
const WORDS = ["headline", "description", "instruction", "until"];
const restore = document.getElementById("restore");
let before = null;
let filled = "";
const written = () => WORDS.map((name) => form.elements[name].value);
const put = ({ hazard, level: colour, said }) => {
  form.elements.hazard.value = hazard;
  for (const one of form.elements.level) one.checked = one.value === colour;
  WORDS.forEach((name, at) => { form.elements[name].value = said[at]; });
};
const refill = () => {
  dress();
  dirty = true;
  tell("redrawn");
  tell("typed");
};
const fill = async (chosen) => {
  const here = { hazard: form.elements.hazard.value, level: level() };
  put({ ...here, ...chosen, said: written() });
  try {
    const said = await post("/issue/template");
    if (written().some(Boolean) && String(written()) !== filled) before = { ...here, said: written() };
    restore.hidden = !before;
    put({ hazard: form.elements.hazard.value, level: level(), said: WORDS.map((name) => said[name]) });
    filled = String(written());
    if (map.empty) map.addCodes(JSON.parse(said.area).codes);
    refill();
  } catch (error) {
    put({ ...here, said: written() });
    alertIn(error.message);
  }
};
document.getElementById("fill").addEventListener("click", (event) => {
  event.preventDefault();
  fill({});
});
document.querySelector(".quick")?.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const wanted = new URL(link.href).searchParams;
  fill({ hazard: wanted.get("hazard"), level: wanted.get("level") });
});
restore.addEventListener("click", () => {
  put(before);
  mark();
  before = null;
  restore.hidden = true;
  refill();
});
function alertIn(text) {
  const box = document.getElementById("told"); // not where another's change stands: that is told until it is looked at
  words(box, text);
  box.hidden = !text;
}
const hours = document.getElementById("hours");
hours.hidden = false;
hours.addEventListener("click", (event) => {
  const more = Number(event.target.dataset?.hours);
  if (!more) return;
  const beijing = new Date(Date.now() + (more + 8) * 3600e3);
  form.elements.until.value = beijing.toISOString().slice(0, 16);
  dirty = true;
  tell("typed");
});

// ── nothing typed is lost; another's change is seen ──
const STUCK_MS = 30000;
const presses = form.querySelectorAll(".send button");
let looking = false; // a press is looked into
let passed = false; // and goes
let sending = false; // and has gone
const hold = (held) => {
  sending = held;
  for (const one of presses) one.disabled = held;
};
form.addEventListener("submit", async (event) => {
  if (passed) return;
  event.preventDefault();
  if (looking || sending) return; // pressed again, it is the same press
  looking = true;
  alertIn(""); // what the press before was told is over: told again, it is read out again
  let why = "";
  try {
    why = await hindrance();
  } catch (error) {
    if (error instanceof Told) why = error.message;
    else console.error(error); // a fault of ours must not keep a warning from being sent
    await new Promise((go) => setTimeout(go)); // from inside its own event a form is not sent
  }
  looking = false;
  if (why) alertIn(why);
  else send(event.submitter);
});
function send(submitter) {
  passed = true;
  form.requestSubmit(submitter);
  passed = false;
  hold(true);
  setTimeout(hold, STUCK_MS, false); // a browser that was told to stop
}
/** What has to be done before it can be sent; "" where nothing has. */
async function hindrance() {
  if (map.sketching) {
    map.focus();
    return form.dataset.unfinished;
  }
  const said = await post("/issue/names"); // whoever has to show himself again would lose what he typed
  if (!said.codes.length && !said.unread.length) return "";
  take(said); // counted before it is sent, not after
  unread.closest("details").open = true;
  return said.unread.length ? unread.textContent : form.dataset.recounted;
}
const refused = async (said, used) => {
  if (said.code !== FORGED || !(await renew(used))) return alertIn(said.detail);
  tell("redrawn");
  tell("typed");
};
// a part that could not be fetched leaves the one before it where it stands, and says that it is old until the next is there
const outdate = (part) => {
  if (!part || part.querySelector(":scope > .outdated")) return;
  const said = document.createElement("p");
  said.className = "outdated";
  words(said, form.dataset.outdated);
  part.prepend(said);
};
document.addEventListener("htmx:error", (event) => outdate(event.detail.ctx?.sourceElement));
document.addEventListener("htmx:before:response", (event) => {
  const { request, response, sourceElement } = event.detail.ctx;
  const { raw, status } = response;
  if (status < 400 && !raw.redirected) return;
  event.preventDefault();
  outdate(sourceElement);
  if (raw.redirected || status === 401) alertIn(form.dataset.asleep);
  else raw.json().then((said) => refused(said, request.body?.get("key"))).catch((error) => alertIn(error instanceof Told ? error.message : form.dataset.away));
});
addEventListener("pageshow", () => hold(false));
addEventListener("beforeunload", (event) => {
  if (dirty && !sending) event.preventDefault();
});
document.addEventListener("mingluo:event", ({ detail }) => {
  if (!form.dataset.draft || detail.warning_id !== form.dataset.draft) return;
  const box = document.getElementById("changed");
  const said = { "warning.edited": form.dataset.edited, "warning.submitted": form.dataset.submitted, "warning.discarded": form.dataset.discarded }[detail.kind];
  if (!said || detail.detail.digest === form.elements.seen.value) return; // one's own: it lies here
  words(box.querySelector("span"), said);
  box.hidden = false;
});

dress(); // a browser that comes back restores what was ticked
map.ready?.then(() => { tell("redrawn"); tell("typed"); }, () => alertIn(form.dataset.nomap));
