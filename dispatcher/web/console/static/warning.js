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

  const changed = document.getElementById("changed");
  const signs = document.querySelector(".signing") !== null;
  const first = document.getElementById("live");
  const state = first ? first.dataset.state : "";
  const shown = first ? first.dataset.hash : ""; // of the words, the map and the list that stand on this page
  const digest = first ? first.dataset.digest : ""; // of what it says and where, also before there is a plan
  const born = first ? Date.parse(first.dataset.now) : 0;

  // A part that is drawn once for all who look on may be a moment older than a page that was loaded just now.
  const older = (live) => Date.parse(live.dataset.now) < born;

  // Whoever presses answers for what he read: of what was written or put forward since, he has read nothing.
  const replaced = (live) => Boolean(shown && live.dataset.hash) && live.dataset.hash !== shown;
  const anew = (live) => live.dataset.digest !== digest || replaced(live);
  // Of a draft he has read no plan that could be replaced: its first one is laid out on a page loaded whole.
  const planned = (live) => !shown && Boolean(live.dataset.hash);
  const hold = () => {
    changed.hidden = false;
    for (const button of document.querySelectorAll(".decide button, #acts form[method=post] button")) button.disabled = true;
  };

  // What stands on this page is not what it is about any more, or no plan of it has been read yet.
  const overtaken = (live) => {
    if (planned(live) && !busy()) location.replace(here);
    else if (planned(live) ? live.dataset.digest !== digest : anew(live)) hold();
    return planned(live) || anew(live);
  };

  // Of this page, also where a refused press has left the address of its button.
  const here = (document.getElementById("words").dataset.here || location.href).split("#")[0];

  // What may be done follows the state: asked for again, unless somebody is at it there. What was typed goes along.
  const busy = () => Boolean(document.activeElement?.closest("#acts"));
  const carry = (old, fresh) => {
    for (const one of old.querySelectorAll("[data-kept]")) {
      const forms = [...fresh.querySelectorAll("form[method=post]")];
      const same = forms.find((form) => form.getAttribute("action") === one.form.getAttribute("action"));
      if (same && same.elements[one.name]) same.elements[one.name].value = one.value;
    }
  };
  const renewActs = async () => {
    const acts = document.getElementById("acts");
    if (!acts || busy()) return;
    try {
      const answer = await fetch(here, { signal: AbortSignal.timeout ? AbortSignal.timeout(10000) : undefined });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("acts");
      if (!fresh) return;
      if (!overtaken(page.getElementById("live")) && !busy()) {
        carry(acts, fresh);
        acts.replaceWith(document.importNode(fresh, true));
      }
    } catch (error) {
      acts.dataset.stale = "yes"; // the server says what hinders, should an old button be pressed
    }
  };

  const looked = () => {
    const live = document.getElementById("live");
    if (!live || !changed || older(live)) return;
    if (signs && (live.dataset.state !== state || live.classList.contains("moving"))) location.replace(here);
    else if (!overtaken(live) && !signs && live.dataset.state && document.getElementById("acts").dataset.state !== live.dataset.state) renewActs();
  };

  const drawn = () => {
    setClock(); // only of what was drawn just now: what has stood for a while is behind
    tick();
  };
  drawn();
  setInterval(tick, 1000);
  document.addEventListener("mingluo:swapped", () => {
    drawn();
    looked();
  });
  document.addEventListener("focusout", ({ target, relatedTarget }) => {
    if (target.closest("#acts") && !relatedTarget?.closest("#acts")) setTimeout(looked); // he is no longer at it
  });
})();
