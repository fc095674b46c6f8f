"use strict";
// Replays the night from the ledger's times, which stand in this page. It asks nothing of the network.
(() => {
  const night = JSON.parse(document.getElementById("night").textContent);
  const PLAY_MS = 9000;

  const shade = (done, planned) => {
    const ramp = night.ramp;
    if (!done) return ramp[0];
    return done >= planned ? ramp[4] : ramp[1 + Math.min(2, Math.floor(done / planned * 3))];
  };

  const clock = (warning, step) => {
    const at = new Date(warning.began_ms + step * warning.step_ms + 8 * 3600e3);  // Beijing, wherever this is read
    return at.toISOString().slice(11, 22);
  };

  document.querySelectorAll("section[data-warning]").forEach((section) => {
    const warning = night.warnings[Number(section.dataset.warning)];
    const dots = [...section.querySelectorAll("[data-v]")].map((dot) => [dot, ...warning.villages[dot.dataset.v]]);
    const towns = [...section.querySelectorAll("[data-t]")].map((town) => [town, ...warning.townships[town.dataset.t]]);
    const slider = section.querySelector(".time"), now = section.querySelector(".now");
    const cursor = section.querySelector(".cursor"), button = section.querySelector(".play");
    let started = 0;

    const show = (step) => {
      for (const [dot, sent, got, played] of dots) {
        const reached = (when) => when >= 0 && when <= step;
        const name = "v" + (reached(got) ? " d" : reached(sent) ? " s" : "") + (reached(played) ? " p" : "");
        if (dot.getAttribute("class") !== name) dot.setAttribute("class", name);
      }
      for (const [town, planned, steps] of towns) {
        let done = 0;
        for (const [when, rows] of steps) { if (when > step) break; done += rows; }
        town.style.fill = shade(done, planned);
      }
      cursor.setAttribute("x1", step);
      cursor.setAttribute("x2", step);
      now.textContent = `${clock(warning, step)}　+${(step * warning.step_ms / 1000).toFixed(1)} 秒　` +
        `已发 ${warning.sent[step].toLocaleString("en")}　送达 ${warning.delivered[step].toLocaleString("en")}`;
    };

    const frame = (at) => {
      if (!started) return;
      const step = Math.min(night.steps, Math.round((at - started) / PLAY_MS * night.steps));
      slider.value = step;
      show(step);
      if (step < night.steps) requestAnimationFrame(frame); else started = 0;
    };

    slider.addEventListener("input", () => { started = 0; show(Number(slider.value)); });
    button.addEventListener("click", () => requestAnimationFrame((at) => { started = at; frame(at); }));
    slider.value = night.steps;
    show(night.steps);
  });
})();
