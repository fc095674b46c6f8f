// <warning-map src="…">: units, villages and layers on a canvas, and what is drawn on them. It knows no form and no server but
// the ground it shows; whoever uses it listens to `drawing` (something changed). `detail.drawing` is what is finished;
// `detail.sketch` is that with what a hand is still drawing, to be counted and never to be kept, and null where no hand is.
// No WebGL: township desktops have none. Text goes into the canvas, never into HTML.
import {
  CircleStyle as Dot, Draw, Feature, Fill, GeoJSON, LineString, Map as OlMap, Modify, Point, Polygon, ScaleLine, Stroke, Style,
  Text, VectorLayer, VectorSource, View, circular, createEmpty, defaultControls, defaultInteractions, extend, fromLonLat,
  isEmpty, toLonLat,
} from "./vendor/ol.js";

const MOST_POINTS = 9000;
const UNDOS = 60;
const NEAR = 14; // pixels from a village's point
const round = (degrees) => Math.round(degrees * 1e5) / 1e5;
const pair = (at) => { const [lon, lat] = toLonLat(at); return [round(lat), round(lon)]; };
const place = ([lat, lon]) => fromLonLat([lon, lat]);

class WarningMap extends HTMLElement {
  #items = { codes: new Set(), shapes: [] };
  #undo = [];
  #names = new Map();
  #children = new Map();
  #tool = "pick";
  #hits = new Map();
  #width = 2;

  connectedCallback() {
    this.ready = this.#start();
  }

  // ── what is drawn, as the form's hidden field holds it ──
  get drawing() {
    const found = { codes: [...this.#items.codes], polygons: [], circles: [], corridors: [] };
    for (const shape of this.#items.shapes) found[shape.kind].push(shape.said);
    return found;
  }

  get empty() {
    return !this.#items.codes.size && !this.#items.shapes.length;
  }

  set drawing(given) {
    this.#items = { codes: new Set(given.codes || []), shapes: [] };
    for (const kind of ["polygons", "circles", "corridors"])
      for (const said of given[kind] || []) this.#items.shapes.push({ kind, said });
    this.#redraw();
  }

  /** Which townships are in the area: code → whether all of it. */
  set hits(found) {
    this.#hits = found;
    this.#layers?.units.changed();
  }

  set width(km) {
    this.#width = km;
  }

  addCodes(codes) {
    this.#change(() => codes.forEach((code) => this.#items.codes.add(code)));
  }

  removeCode(code) {
    this.#change(() => this.#items.codes.delete(code));
  }

  addPolygons(rings) {
    const points = rings.reduce((sum, ring) => sum + ring.length, 0);
    if (points > MOST_POINTS) return false;
    this.#change(() => rings.forEach((said) => this.#items.shapes.push({ kind: "polygons", said })));
    this.fit();
    return true;
  }

  clear() {
    this.#change(() => { this.#items = { codes: new Set(), shapes: [] }; });
  }

  undo() {
    if (this.#drawn?.getActive() && this.#sketching) {
      this.#drawn.removeLastPoint();
      return;
    }
    const before = this.#undo.pop();
    if (before === undefined) return;
    this.drawing = JSON.parse(before);
    this.#tell();
  }

  tool(name) {
    this.#tool = name;
    this.#choose();
  }

  /** Whether a shape was begun and is not finished. */
  get sketching() {
    return this.#sketching;
  }

  /** The sketch is a shape as it stands; one of too few points is dropped. */
  finish() {
    this.#drawn?.finishDrawing();
  }

  /** Looks at what is drawn and chosen, else at everything. */
  fit() {
    const extent = createEmpty();
    for (const feature of this.#sources.drawn.getFeatures()) extend(extent, feature.getGeometry().getExtent());
    for (const code of this.#items.codes) {
      const unit = this.#sources.units.getFeatureById(code) || this.#sources.villages.getFeatureById(code);
      if (unit) extend(extent, unit.getGeometry().getExtent());
    }
    if (isEmpty(extent)) extend(extent, this.#sources.units.getExtent());
    if (!isEmpty(extent)) this.#map.getView().fit(extent, { padding: [24, 24, 24, 24], maxZoom: 13 });
  }

  // ── the map ──
  #map; #sources; #layers; #drawn; #modify; #sketching = false; #look;

  async #start() {
    this.#sources = { units: new VectorSource(), villages: new VectorSource(), layers: new VectorSource(), drawn: new VectorSource() };
    this.#read();
    this.#layers = {
      units: new VectorLayer({ source: this.#sources.units, style: (f, r) => this.#unit(f, r), updateWhileInteracting: true }),
      layers: new VectorLayer({ source: this.#sources.layers, style: (f) => this.#own(f) }),
      villages: new VectorLayer({ source: this.#sources.villages, maxResolution: 90, style: (f, r) => this.#village(f, r) }),
      names: new VectorLayer({ source: this.#sources.units, declutter: true, style: (f, r) => this.#name(f, r) }),
      drawn: new VectorLayer({ source: this.#sources.drawn, style: (f, r) => this.#shape(f, r), updateWhileInteracting: true }),
    };
    this.#map = new OlMap({
      target: this,
      layers: Object.values(this.#layers),
      controls: defaultControls({ rotate: false, attribution: false }).extend([new ScaleLine()]),
      interactions: defaultInteractions({ altShiftDragRotate: false, pinchRotate: false, doubleClickZoom: false }),
      keyboardEventTarget: this,
      view: new View({ center: fromLonLat([115, 27]), zoom: 8, minZoom: 6, maxZoom: 16, enableRotation: false }),
    });
    this.#modify = new Modify({ source: this.#sources.drawn });
    this.#modify.on("modifyend", () => this.#change(() => this.#reread()));
    this.#map.addInteraction(this.#modify);
    this.#map.on("singleclick", (event) => this.#clicked(event));
    this.#map.on("pointermove", (event) => this.#pointed(event));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
    const answer = await fetch(this.getAttribute("src"), { credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    this.#lay(await answer.json());
    this.#redraw();
    this.fit();
    this.#map.once("rendercomplete", () => (this.dataset.drawn = "yes"));
    this.dispatchEvent(new Event("laid"));
  }

  recolour() {
    this.#read();
    if (this.#layers) Object.values(this.#layers).forEach((layer) => layer.changed());
  }

  #read() {
    const style = getComputedStyle(this);
    const token = (name) => style.getPropertyValue(name).trim() || "#888888";
    this.#look = {
      ink: token("--ink"), quiet: token("--quiet"), paper: token("--map-paper"), line: token("--map-edge"),
      county: token("--county"), water: token("--water"), accent: token("--accent"), drawn: token("--drawn"),
      card: token("--card"), font: token("--font"),
    };
  }

  #lay(ground) {
    const format = new GeoJSON({ dataProjection: "EPSG:4326", featureProjection: "EPSG:3857" });
    for (const feature of format.readFeatures(ground)) {
      const { kind, code, parent, name } = feature.getProperties();
      if (kind === "layer") {
        this.#sources.layers.addFeature(feature);
        continue;
      }
      feature.setId(code);
      this.#names.set(code, name);
      if (!this.#children.has(parent)) this.#children.set(parent, []);
      this.#children.get(parent).push(code);
      this.#sources[kind === "village" ? "villages" : "units"].addFeature(feature);
    }
  }

  // ── choosing and drawing ──
  #choose() {
    if (this.#drawn) this.#map.removeInteraction(this.#drawn);
    this.#drawn = undefined;
    this.#sketching = false;
    const kinds = { polygon: "Polygon", lasso: "Polygon", circle: "Circle", corridor: "LineString" };
    const type = kinds[this.#tool];
    if (!type) return;
    this.#drawn = new Draw({ type, freehand: this.#tool === "lasso", style: (f, r) => this.#shape(f, r, true), stopClick: true });
    this.#drawn.on("drawstart", (event) => {
      this.#sketching = true;
      event.feature.getGeometry().on("change", () => this.#tell(event.feature.getGeometry()));
    });
    this.#drawn.on("drawabort", () => { this.#sketching = false; this.#tell(); });
    this.#drawn.on("drawend", (event) => {
      this.#sketching = false;
      const shape = this.#said(event.feature.getGeometry(), true);
      if (shape) this.#change(() => this.#items.shapes.push(shape));
      else this.#tell();
    });
    this.#map.addInteraction(this.#drawn);
  }

  #said(geometry, whole) {
    const kind = geometry.getType();
    if (kind === "Circle") {
      const [lon, lat] = toLonLat(geometry.getCenter());
      const radius = (geometry.getRadius() * Math.cos((lat * Math.PI) / 180)) / 1000;
      if (radius < 0.05) return null;
      return { kind: "circles", said: { lat: round(lat), lon: round(lon), radius_km: Math.round(radius * 100) / 100 } };
    }
    if (kind === "LineString") {
      const line = geometry.getCoordinates().map(pair);
      return line.length < 2 ? null : { kind: "corridors", said: { line, width_km: this.#width } };
    }
    const resolution = this.#map.getView().getResolution();
    const slim = this.#tool === "lasso" && whole ? geometry.simplify(resolution * 2) : geometry;
    const ring = slim.getCoordinates()[0].map(pair);
    return ring.length < 4 ? null : { kind: "polygons", said: ring };
  }

  #clicked(event) {
    if (this.#tool !== "pick" && this.#tool !== "village") return;
    const found = this.#tool === "village" ? this.#villageAt(event.coordinate) : this.#unitAt(event.coordinate, "township");
    if (!found) return;
    const code = event.originalEvent.shiftKey ? found.get("code").slice(0, 6) : found.get("code");
    this.#change(() => this.#toggle(code));
  }

  // by geometry, not by pixel: reading a canvas back is slow without a GPU
  #unitAt(at, kind) {
    return this.#sources.units.getFeaturesAtCoordinate(at).find((one) => one.get("kind") === kind);
  }

  #villageAt(at) {
    const found = this.#sources.villages.getClosestFeatureToCoordinate(at);
    const [x, y] = found ? found.getGeometry().getCoordinates() : [Infinity, Infinity];
    return Math.hypot(x - at[0], y - at[1]) / this.#map.getView().getResolution() <= NEAR ? found : undefined;
  }

  /** Of a unit chosen with the one above it, that one goes and its other units stay. */
  #toggle(code) {
    const codes = this.#items.codes;
    if (codes.delete(code)) return;
    const above = [9, 6].filter((size) => size < code.length).map((size) => code.slice(0, size)).find((one) => codes.has(one));
    if (!above) {
      for (const one of [...codes]) if (one.startsWith(code)) codes.delete(one);
      codes.add(code);
      return;
    }
    codes.delete(above);
    for (let unit = above; unit.length < code.length;) {
      const next = code.slice(0, unit.length === 6 ? 9 : 12);
      for (const other of this.#children.get(unit) || []) if (other !== next) codes.add(other);
      unit = next;
    }
  }

  #pointed(event) {
    if (event.dragging) return;
    const at = event.coordinate;
    const under = [this.#unitAt(at, "county"), this.#unitAt(at, "township"), this.#tool === "village" && this.#villageAt(at)];
    this.dispatchEvent(new CustomEvent("pointed", { detail: under.filter(Boolean).map((one) => one.get("name")).join(" ") }));
    this.classList.toggle("picks", this.#tool === "pick" || this.#tool === "village");
  }

  #reread() {
    this.#items.shapes = this.#sources.drawn.getFeatures().map((feature) => {
      const before = feature.get("shape");
      if (before.kind === "circles") return before; // moved by drawing it anew
      const now = this.#said(feature.getGeometry(), false) || before;
      return before.kind === "corridors" ? { kind: "corridors", said: { ...now.said, width_km: before.said.width_km } } : now;
    });
  }

  #change(act) {
    this.#undo.push(JSON.stringify(this.drawing));
    if (this.#undo.length > UNDOS) this.#undo.shift();
    act();
    this.#redraw();
    this.#tell();
  }

  #tell(hand) {
    const drawing = this.drawing;
    const more = hand && this.#said(hand, false);
    const sketch = more ? { ...drawing, [more.kind]: [...drawing[more.kind], more.said] } : hand ? drawing : null;
    this.dispatchEvent(new CustomEvent("drawing", { detail: { drawing, sketch } }));
  }

  #redraw() {
    const source = this.#sources?.drawn;
    if (!source) return;
    source.clear();
    source.addFeatures(this.#items.shapes.map((shape) => new Feature({ geometry: this.#geometry(shape), shape })));
    this.#layers?.units.changed();
    this.#layers?.villages.changed();
  }

  #geometry({ kind, said }) {
    if (kind === "circles") return circular([said.lon, said.lat], said.radius_km * 1000, 64).transform("EPSG:4326", "EPSG:3857");
    if (kind === "corridors") return new LineString(said.line.map(place));
    const ring = said.map(place);
    const [first, last] = [ring[0], ring[ring.length - 1]];
    if (first[0] !== last[0] || first[1] !== last[1]) ring.push(first);
    return new Polygon([ring]);
  }

  // ── how it looks ──
  #chosen(code) {
    return [6, 9, 12].some((size) => size <= code.length && this.#items.codes.has(code.slice(0, size)));
  }

  #unit(feature, resolution) {
    const look = this.#look, { kind, code } = feature.getProperties();
    const chosen = this.#items.codes.has(code);
    if (kind === "county") return new Style({ stroke: new Stroke({ color: chosen ? look.accent : look.county, width: chosen ? 3 : 1.3 }), zIndex: chosen ? 3 : 2 });
    const hit = this.#hits.get(code);
    const fill = hit === undefined ? look.paper : faded(look.accent, hit ? 0.42 : 0.2);
    const edge = chosen ? new Stroke({ color: look.accent, width: 2 }) : new Stroke({ color: look.line, width: resolution > 300 ? 0.3 : 0.7 });
    return new Style({ fill: new Fill({ color: fill }), stroke: edge, zIndex: chosen ? 1 : 0 });
  }

  #own(feature) {
    const look = this.#look;
    return new Style({
      stroke: new Stroke({ color: look.water, width: 1.6 }),
      text: new Text({ text: feature.get("name"), placement: "line", font: `11px ${look.font}`, fill: new Fill({ color: look.water }), stroke: new Stroke({ color: look.card, width: 2.5 }), overflow: false }),
    });
  }

  #village(feature, resolution) {
    const look = this.#look, chosen = this.#chosen(feature.get("code"));
    const dot = new Dot({ radius: chosen ? 4.5 : 2.6, fill: new Fill({ color: chosen ? look.accent : look.card }), stroke: new Stroke({ color: chosen ? look.accent : look.quiet, width: 1.2 }) });
    return new Style({ image: dot, text: resolution < 28 ? this.#text(feature.get("name"), 11, 10) : undefined });
  }

  #name(feature, resolution) {
    const { kind, label, name } = feature.getProperties();
    if (kind === "county" ? resolution < 90 : resolution > 130) return undefined;
    const style = new Style({ geometry: new Point(fromLonLat(label)), text: this.#text(name, kind === "county" ? 13 : 11.5, 0) });
    return style;
  }

  #text(text, size, offsetY) {
    const look = this.#look;
    return new Text({ text, offsetY, font: `${size}px ${look.font}`, fill: new Fill({ color: look.ink }), stroke: new Stroke({ color: look.card, width: 3 }) });
  }

  #shape(feature, resolution, sketch = false) {
    const look = this.#look, geometry = feature.getGeometry();
    const stroke = new Stroke({ color: look.drawn, width: 2, lineDash: sketch ? [6, 5] : undefined });
    const fill = new Fill({ color: faded(look.drawn, 0.12) });
    if (geometry.getType() === "Point") return new Style({ image: new Dot({ radius: 5, fill: new Fill({ color: look.drawn }) }) });
    if (geometry.getType() !== "LineString") return new Style({ stroke, fill });
    const km = feature.get("shape")?.said.width_km ?? this.#width;
    const lat = toLonLat(geometry.getFirstCoordinate())[1];
    const pixels = (km * 1000) / Math.cos((lat * Math.PI) / 180) / resolution;
    return [new Style({ stroke: new Stroke({ color: faded(look.drawn, 0.22), width: Math.max(2, pixels), lineCap: "round", lineJoin: "round" }) }), new Style({ stroke })];
  }
}

/** A colour of six hexadecimal digits, or as the browser computed it, with less of itself. */
function faded(colour, alpha) {
  const hex = /^#([0-9a-f]{6})$/i.exec(colour);
  if (hex) {
    const [r, g, b] = [0, 2, 4].map((at) => parseInt(hex[1].slice(at, at + 2), 16));
    return `rgba(${r},${g},${b},${alpha})`;
  }
  const rgb = /^rgb\((.+)\)$/.exec(colour);
  return rgb ? `rgba(${rgb[1]},${alpha})` : colour;
}

customElements.define("warning-map", WarningMap);
