// Keeps a page up to date: the line says that something moved, the server draws it, this lays it over what stands there.
// Without it the pages are whole by reloading. Text from the server is HTML it escaped itself; nothing is built here.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const words = byId("words") ? byId("words").dataset : null;
  const pulse = byId("pulse");
  if (!words || !pulse || !window.EventSource) return;

  const LEAST_MS = 1500;
  let everyMs = LEAST_MS; // more where many look on: each beat of the line says how much
  const HIDDEN_MS = 15000;
  const LOOK_MS = 30000;
  const STALE_MS = 8000; // as long as the line may be silent

  // ── what stands on the page ──
  const say = (state, text) => {
    pulse.dataset.state = state;
    pulse.querySelector("b").textContent = text;
  };
  const asOf = () => {
    const live = byId("live");
    return live && live.dataset.at ? words.live + " · " + words.asOf + " " + live.dataset.at : words.linked;
  };

  const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || "" : "");
  const kind = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName;

  const dress = (old, fresh) => {
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
    }
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value && !(name === "open" && old.nodeName === "DETAILS")) old.setAttribute(name, value);
    }
  };

  // What is the same stays the same node: so nobody loses his place, what he opened, or what he is typing.
  const lay = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    if (old.isEqualNode(fresh)) return;
    dress(old, fresh);
    const known = new Map();
    for (const child of old.children) if (keyOf(child)) known.set(keyOf(child), child);
    let at = old.firstChild;
    for (const next of [...fresh.childNodes]) {
      const key = keyOf(next);
      const same = key ? known.get(key) : at && !keyOf(at) ? at : null;
      if (same && kind(same, next)) {
        if (same === at) at = at.nextSibling;
        else old.insertBefore(same, at);
        lay(same, next);
      } else {
        old.insertBefore(document.importNode(next, true), at);
      }
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  };
  const layOver = (old, fresh) => {
    const held = document.activeElement;
    lay(old, fresh);
    if (held && held !== document.activeElement && held.isConnected) held.focus({ preventScroll: true });
  };

  const colour = (looks) => {
    for (const pair of looks.split(" ")) {
      const [code, look] = pair.split(":");
      for (const id of ["t" + code, "m" + code]) {
        const mark = byId(id);
        if (mark) mark.setAttribute("class", (look || "").replaceAll("+", " "));
      }
    }
  };

  const drawn = async (path, id) => {
    const answer = await fetch(path, { signal: AbortSignal.timeout ? AbortSignal.timeout(10000) : undefined });
    if (!answer.ok) throw new Error(String(answer.status));
    return new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
  };

  // Asked again and again while something moves, but never faster than a fifth of the time it takes; many pages never in the
  // same instant.
  const asked = new Map(); // what was asked for in vain, and since when
  let ended = false; // the session
  const repeated = (name, work, every) => {
    let timer = 0;
    let busy = false;
    let due = false;
    let last = 0;
    let took = 0;
    const run = async () => {
      timer = 0;
      due = false;
      if (ended) return; // nobody is told anything any more
      busy = true;
      last = Date.now();
      if (!asked.has(name)) asked.set(name, { since: last, late: Math.max(STALE_MS, 2 * every()) }); // one miss is no loss
      const well = await work();
      if (well) {
        asked.delete(name);
        over(name);
      }
      took = Date.now() - last;
      busy = false;
      if (due || !well) soon();
    };
    const soon = () => {
      due = true;
      if (busy || timer) return;
      const wait = Math.max(every(), 5 * took);
      timer = setTimeout(run, Math.max(Math.random() * (everyMs - LEAST_MS), wait - (Date.now() - last)));
    };
    return soon;
  };

  const warning = byId("live") ? byId("live").dataset.warning || "" : "";
  const page = repeated("page", async () => {
    try {
      const url = new URL(words.here || location.href, location.href); // not where a refused press was sent to
      url.searchParams.set("part", "live");
      const fresh = await drawn(url, "live");
      const old = byId("live");
      if (fresh && old) {
        layOver(old, fresh);
        if (fresh.dataset.looks) colour(fresh.dataset.looks);
        document.dispatchEvent(new CustomEvent("mingluo:swapped"));
        say("live", asOf());
      }
      return true;
    } catch (error) {
      const refused = ["401", "403"].includes(error.message); // nothing is broken: whoever looks shows himself again
      say("lost", refused ? words.asleep : words.retry);
      return refused;
    }
  }, () => (document.hidden ? Math.max(HIDDEN_MS, everyMs) : everyMs));
  const soon = () => {
    if (byId("live")) page();
  };

  let looked = Date.now();
  const bar = repeated("bar", async () => {
    try {
      const fresh = await drawn("/status?part=live", "status");
      if (fresh) {
        layOver(byId("status"), fresh);
        looked = Date.now();
        notice();
      }
      return true;
    } catch (error) {
      return String(error.message) === "401";
    }
  }, () => everyMs);

  // ── the clock: the server's, not this machine's ──
  let ahead = Number(byId("status").dataset.now) - Date.now();
  const clock = (at) => new Date(at.getTime() + 8 * 3600 * 1000).toISOString().slice(0, 19).replace("T", " ");
  const tick = () => {
    const shown = byId("clock");
    if (shown) shown.textContent = clock(new Date(Date.now() + ahead));
    const live = byId("live");
    if (live && Date.parse(live.dataset.changes) <= Date.now() + ahead) soon(); // its time has come, though nothing happened
    for (const [name, one] of asked) if (Date.now() - one.since >= one.late) outdated(name, one.since);
  };
  setInterval(tick, 1000);

  // ── sound and title ──
  const TUNES = {
    red: [[880, 0], [660, 0.22], [880, 0.44], [660, 0.66], [880, 0.88], [660, 1.1]],
    due: [[587, 0], [784, 0.18]],
    lost: [[330, 0], [247, 0.25]],
  };
  const stored = (name, value) => {
    try {
      if (value !== undefined) localStorage.setItem(name, value);
      return localStorage.getItem(name) || "";
    } catch (error) {
      return "";
    }
  };
  let audio = null;
  const on = () => stored("mingluo-sound") !== "off";
  const ready = () => audio && audio.state === "running";
  const play = (tune) => {
    if (!on() || !ready()) return;
    for (const [pitch, after] of TUNES[tune]) {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      const start = audio.currentTime + after;
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0, start);
      volume.gain.linearRampToValueAtTime(0.25, start + 0.02);
      volume.gain.linearRampToValueAtTime(0, start + 0.18);
      tone.connect(volume).connect(audio.destination);
      tone.start(start);
      tone.stop(start + 0.2);
    }
  };
  const button = byId("sound");
  const asleep = () => on() && !ready();
  const label = () => {
    if (!button) return;
    button.setAttribute("aria-pressed", String(on() && ready()));
    button.classList.toggle("asleep", asleep());
    button.textContent = asleep() ? button.dataset.asleep : on() ? button.dataset.on : button.dataset.off;
  };
  const wake = async () => {
    if (audio && audio.state !== "running") await audio.resume();
  };
  // A browser may let a page sound that nobody has touched yet, or not: it is tried, and the button says what came of it.
  if (window.AudioContext) {
    audio = new AudioContext();
    audio.addEventListener("statechange", label);
  }
  let slept = false; // before the hand that now presses the button woke it: that hand wants sound, not silence
  if (button) {
    button.hidden = false;
    label();
    for (const gesture of ["pointerdown", "keydown"]) button.addEventListener(gesture, () => (slept = asleep()), { passive: true });
    button.addEventListener("click", async () => {
      if (!slept && !asleep()) stored("mingluo-sound", on() ? "off" : "on");
      slept = false;
      label();
      await wake();
      play("due");
    });
  }
  for (const gesture of ["pointerdown", "keydown"]) document.addEventListener(gesture, wake, { passive: true });

  const title = document.title;
  const marks = { red: "", due: "", lost: "" };
  const entitle = () => {
    const said = [marks.lost, marks.red, marks.due].filter(Boolean).map((one) => "【" + one + "】");
    document.title = said.join("") + title;
  };
  const mark = (name, text) => {
    marks[name] = text;
    entitle();
  };
  const seen = () => {
    if (document.hidden) return;
    marks.red = "";
    marks.due = "";
    entitle();
  };
  document.addEventListener("visibilitychange", seen);
  for (const hand of ["pointerdown", "keydown"]) document.addEventListener(hand, seen, { passive: true });

  // Each tab changes its title; of those that can be heard, the first one sounds for all.
  const sound = (tune, id) => {
    if (!on() || !ready()) return;
    const heard = stored("mingluo-heard").split(" ");
    const name = tune + ":" + id;
    if (heard.includes(name)) return;
    stored("mingluo-heard", [...heard.slice(-50), name].join(" "));
    play(tune);
  };
  const listed = (name) => (byId("status").dataset[name] || "").split(" ").filter(Boolean);
  const known = { reds: new Set(listed("reds")), due: new Set(listed("due")) };
  const notice = () => {
    for (const [name, tune, text] of [["reds", "red", words.titleRed], ["due", "due", words.titleDue]]) {
      const fresh = listed(name).filter((id) => !known[name].has(id));
      for (const id of fresh) {
        known[name].add(id);
        sound(tune, id);
      }
      if (fresh.length) mark(tune, text);
      if (!listed(name).length) mark(tune, "");
    }
  };

  // ── the line ──
  const banner = byId("stale");
  const about = (data) => {
    try {
      return JSON.parse(data).warning_id || "";
    } catch (error) {
      return "";
    }
  };
  // What happened goes on to whatever script of the page listens: the page of a draft, say.
  const pass = (data) => {
    try {
      document.dispatchEvent(new CustomEvent("mingluo:event", { detail: JSON.parse(data) }));
    } catch (error) {
      return;
    }
  };
  let lost = true; // also before it is joined: what happened since the page was drawn, nobody told it
  // What keeps the page from being up to date, each until it is over: the line is silent, the database away, a part not drawn.
  const reasons = new Set();
  const outdated = (why, since) => {
    if (ended || reasons.has(why)) return;
    reasons.add(why);
    banner.textContent = words.stale + " " + clock(new Date(since + ahead)).slice(11);
    banner.hidden = false;
    mark("lost", words.titleLost);
    sound("lost", Math.round(since / STALE_MS)); // once, though each tab notices by itself
  };
  const over = (why) => {
    if (!reasons.delete(why) || reasons.size) return;
    banner.hidden = true;
    mark("lost", "");
  };
  const well = () => {
    if (!reasons.size) say("live", asOf());
  };
  const heard = {
    hello: () => {
      if (ended) banner.hidden = true;
      ended = false;
      if (lost) {
        soon();
        bar();
      }
      lost = false;
      over("line");
      over("database");
      well();
    },
    event: (said) => {
      pass(said.data);
      if (!warning || about(said.data) === warning) soon();
      bar();
    },
    counts: (said) => {
      const live = byId("live");
      if (live && live.dataset.follow === "event") return;
      if (!warning || about(said.data) === warning) soon();
    },
    trouble: (said) => {
      if (said.data) {
        say("lost", said.data);
        outdated("database", said.since);
      } else {
        over("database");
        well();
        soon();
      }
      bar();
    },
    beat: (said) => {
      try {
        const beat = JSON.parse(said.data);
        ahead = Date.parse(beat.at) - Date.now();
        everyMs = beat.ask_every_ms;
      } catch (error) {
        return;
      }
      if (pulse.dataset.state === "live") say("live", asOf());
      if (Date.now() - looked > LOOK_MS) bar();
    },
    lost: () => {
      lost = true;
      say("lost", words.lost);
    },
    stale: (said) => {
      lost = true;
      say("lost", words.lost);
      outdated("line", said.since);
    },
    fresh: () => over("line"),
    ended: () => {
      ended = true;
      asked.clear();
      say("lost", words.ended);
      banner.textContent = words.ended + " ";
      const enter = document.createElement("a");
      enter.href = "/sign-in?next=" + encodeURIComponent(words.here || location.pathname + location.search);
      enter.textContent = words.enter;
      banner.append(enter);
      banner.hidden = false;
    },
  };
  const hear = (said) => {
    if (heard[said.kind]) heard[said.kind](said);
  };
  const alone = () => {
    if (self.mingluoLine) self.mingluoLine(hear);
  };
  if (!window.SharedWorker) {
    alone();
    return;
  }
  try {
    const worker = new SharedWorker("/static/stream.js", "mingluo");
    worker.onerror = alone;
    worker.port.onmessage = (event) => hear(event.data);
    window.addEventListener("pagehide", () => worker.port.postMessage("bye"));
  } catch (error) {
    alone();
  }
})();
