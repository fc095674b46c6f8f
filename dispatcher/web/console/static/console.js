// Keeps a page up to date: the live stream says that something moved, the server draws it, this swaps it in.
// Without it the pages are whole by reloading. Text from the server is HTML it escaped itself; nothing is built here.
"use strict";

(() => {
  const live = document.getElementById("live");
  const pulse = document.getElementById("pulse");
  if (!live || !pulse || !window.EventSource) return;

  const EVERY_MS = 1500;
  const warning = live.dataset.warning || "";
  let due = false;
  let busy = false;
  let last = 0;

  const say = (state, text) => {
    pulse.dataset.state = state;
    pulse.querySelector("b").textContent = text;
  };

  const colour = (looks) => {
    for (const pair of looks.split(" ")) {
      const [code, look] = pair.split(":");
      for (const id of ["t" + code, "m" + code]) {
        const mark = document.getElementById(id);
        if (mark) mark.setAttribute("class", (look || "").replaceAll("+", " "));
      }
    }
  };

  const refresh = async () => {
    due = false;
    busy = true;
    last = Date.now();
    try {
      const url = new URL(location.href);
      url.searchParams.set("part", "live");
      const answer = await fetch(url, { signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("live");
      const old = document.getElementById("live");
      if (fresh && old) {
        old.replaceWith(document.importNode(fresh, true));
        if (fresh.dataset.looks) colour(fresh.dataset.looks);
        say("live", "实时 · 截至 " + fresh.dataset.at);
      }
    } catch (error) {
      say("lost", "更新失败，稍后自动重试");
      due = true;
    } finally {
      busy = false;
      if (due) soon();
    }
  };

  let timer = 0;
  const soon = () => {
    due = true;
    if (busy || timer) return;
    timer = setTimeout(() => {
      timer = 0;
      if (!busy) refresh();
    }, Math.max(0, EVERY_MS - (Date.now() - last)));
  };

  const about = (event) => {
    try {
      return JSON.parse(event.data).warning_id || "";
    } catch (error) {
      return "";
    }
  };
  const moved = (event) => {
    if (!warning || about(event) === warning) soon();
  };

  let lost = false;
  const stream = new EventSource("/api/v1/live");
  stream.addEventListener("hello", () => {
    say("live", "实时 · 截至 " + document.getElementById("live").dataset.at);
    if (lost) soon();
    lost = false;
  });
  stream.addEventListener("event", moved);
  stream.addEventListener("counts", moved);
  stream.addEventListener("trouble", (event) => {
    if (event.data) say("lost", event.data);
    else soon();
  });
  stream.addEventListener("error", () => {
    lost = true;
    say("lost", "实时连接断开，正在重连");
  });
})();
