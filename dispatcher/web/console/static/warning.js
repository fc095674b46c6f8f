// One warning's page: clocks that go on, and what has to be said when the warning changed under the reader.
// Without it every time on the page is the server's, as of its last line. Nothing is built from text here.
"use strict";

(() => {
  const clockOf = () => document.querySelector("#live[data-now], main[data-now]"); // the status bar has one of its own, in milliseconds
  let ahead = 0; // of this desktop's clock, as the server's is: a township's may be wrong by minutes
  const setClock = () => {
    const now = clockOf();
    if (now) ahead = Date.parse(now.dataset.now) - Date.now();
  };

  const two = (number) => String(number).padStart(2, "0");
  const lasting = (milliseconds) => {
    const all = Math.max(0, Math.floor(milliseconds / 1000));
    const hours = Math.floor(all / 3600);
    const minutes = Math.floor(all / 60) % 60;
    return (hours ? hours + ":" + two(minutes) : String(minutes)) + ":" + two(all % 60);
  };

  const tick = () => {
    const now = Date.now() + ahead;
    for (const one of document.querySelectorAll("time[data-since]")) one.textContent = lasting(now - Date.parse(one.dataset.since));
    for (const one of document.querySelectorAll("time[data-until]")) one.textContent = lasting(Date.parse(one.dataset.until) - now);
  };

  const approve = document.getElementById("approve");
  const changed = document.getElementById("changed");
  const signs = document.querySelector(".signing") !== null;
  const first = document.getElementById("live");
  const state = first ? first.dataset.state : "";

  // What may be done follows the state: asked for again, unless somebody is writing there.
  const renewActs = async () => {
    const acts = document.getElementById("acts");
    if (!acts || [...acts.querySelectorAll("input:not([type=hidden])")].some((one) => one.value)) return;
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(10000) });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("acts");
      if (fresh && !acts.contains(document.activeElement)) acts.replaceWith(document.importNode(fresh, true));
    } catch (error) {
      acts.dataset.stale = "yes"; // the server says what hinders, should an old button be pressed
    }
  };

  const looked = () => {
    setClock();
    tick();
    const live = document.getElementById("live");
    if (!live) return;
    if (signs) {
      const hash = approve ? approve.querySelector("[name=plan_hash]").value : live.dataset.hash;
      if (live.dataset.hash === undefined || live.dataset.state !== state) location.reload();
      else if (live.dataset.hash !== hash && changed) {
        changed.hidden = false;
        for (const button of document.querySelectorAll(".decide button")) button.disabled = true;
      }
      return;
    }
    const acts = document.getElementById("acts");
    if (acts && live.dataset.state && acts.dataset.state !== live.dataset.state) renewActs();
  };

  setClock();
  tick();
  setInterval(tick, 1000);
  document.addEventListener("mingluo:swapped", looked);
})();
