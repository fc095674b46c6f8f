// The line to the server: one a browser, shared by all its tabs where it has SharedWorker, else one a tab.
// It resumes where it was cut off, notices by itself that nothing comes any more, and says when the session has ended.
"use strict";

(() => {
  const STALE_MS = 8000;
  const NAMES = ["hello", "event", "counts", "trouble", "beat"];

  // `tell` hears: hello, event, counts, trouble (since), beat (with their data), lost, stale (since), fresh, ended.
  const line = (tell) => {
    const now = { stale: false, since: Date.now(), ended: false, hello: false, trouble: null };
    let source = null;
    let last = "";
    let heard = Date.now();
    let again = 0;

    const hear = (event) => {
      heard = Date.now();
      if (event.lastEventId) last = event.lastEventId;
      if (event.type === "hello") now.hello = true;
      if (now.stale) {
        now.stale = false;
        tell({ kind: "fresh" });
      }
      const said = { kind: event.type, data: event.data || "", since: heard };
      if (event.type === "hello") now.trouble = null;
      if (event.type === "trouble") now.trouble = said.data ? said : null;
      tell(said);
    };

    const refused = async () => {
      let status = 0;
      try {
        status = (await fetch("/status?part=live", { headers: { Accept: "application/problem+json" } })).status;
      } catch (error) {
        status = 0;
      }
      if (status === 401 || status === 403) {
        now.ended = true;
        tell({ kind: "ended" });
      } else {
        again = Date.now() + 5000;
      }
    };

    const open = () => {
      if (source) source.close();
      again = 0;
      now.ended = false;
      const opened = new EventSource("/api/v1/live" + (last ? "?last_event_id=" + encodeURIComponent(last) : ""));
      source = opened;
      for (const name of NAMES) opened.addEventListener(name, hear);
      opened.addEventListener("error", () => {
        now.hello = false;
        tell({ kind: "lost" });
        if (opened.readyState !== EventSource.CLOSED || source !== opened) return;
        source = null;
        refused();
      });
    };

    setInterval(() => {
      if (now.ended) return;
      if (again && Date.now() >= again) open();
      const quiet = Date.now() - heard;
      if (quiet < STALE_MS) return;
      if (!now.stale) {
        now.stale = true;
        now.since = heard;
        tell({ kind: "stale", since: heard });
      }
      if (source && quiet % STALE_MS < 1000) open();
    }, 1000);

    open();
    return { now, open };
  };

  if (!("onconnect" in self)) {
    self.mingluoLine = line;
    return;
  }
  const ports = new Set();
  let shared = null;
  self.onconnect = (event) => {
    const port = event.ports[0];
    port.onmessage = () => ports.delete(port);
    ports.add(port);
    if (!shared) {
      shared = line((said) => {
        for (const one of ports) one.postMessage(said);
      });
    } else if (shared.now.ended) {
      shared.open();
    } else {
      if (shared.now.hello) port.postMessage({ kind: "hello", data: "" });
      if (shared.now.trouble) port.postMessage(shared.now.trouble);
      if (shared.now.stale) port.postMessage({ kind: "stale", since: shared.now.since });
    }
  };
})();
