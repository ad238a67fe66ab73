// The page: reads what it holds, draws when something changed, looks through cameras.
function bytesOf(id) {
  const text = byId(id).textContent;
  byId(id).remove();
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

const SLOW = 45; // milliseconds a picture may take while something moves
const FAST = 22;
const DEFAULT_CAMERA = 0.025; // depth of a drawn camera, as a share of the place's radius

class Viewer {
  constructor(data) {
    this.data = data;
    this.canvas = byId("canvas");
    this.drawing = new Drawing(this.canvas);
    this.places = new Uint16Array(bytesOf("places").buffer);
    this.cloud = this.drawing.cloud(this.places, bytesOf("colours"));
    this.landmarks = this.drawing.cloud(new Uint16Array(bytesOf("landmarks").buffer));
    this.orbit = new Orbit({ ...data.home, radius: data.place.radius });
    this.keys = new HeldKeys();
    // How many points are drawn while something moves, and at first.
    this.budget = Math.min(data.cloud.count, 150000);
    this.touched = performance.now();
    this.hovered = null;
    this.look = new Look(data);
    this.labels = data.labels.map(({ text, at }) => {
      const word = document.createElement("span");
      word.textContent = text;
      byId("labels").append(word);
      return { word, at };
    });
    this.flight = null; // {from, started, seconds}: on the way to the present view
    this.panel = new Panel(data, () => this.changed(), (frame) => this.lookThrough(frame));
    document.body.classList.toggle("folded", window.innerWidth < 720);
    this.setTheme(matchMedia("(prefers-color-scheme: dark)").matches);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) =>
      this.setTheme(event.matches),
    );
    this.listen();
    new ResizeObserver(() => this.redraw()).observe(this.canvas);
  }

  // -- the picture ---------------------------------------------------------------------------

  get size() {
    return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  // The part of the screen that the panel and the bar of a looked-through camera leave free.
  get free() {
    const { width, height } = this.size;
    const free = { x: 0, y: 0, width, height };
    if (!document.body.classList.contains("folded")) {
      const panel = byId("panel").getBoundingClientRect();
      if (panel.width < 0.6 * width) free.width = panel.left;
      else free.height = panel.top;
    }
    if (this.look.on) {
      const bar = byId("look").getBoundingClientRect().height + 24;
      free.y = byId("title").getBoundingClientRect().bottom + 12;
      free.height = Math.max(free.height - bar - free.y, 60);
    }
    return free;
  }

  // The view that the page wants to show; while it flies there another one is seen.
  get aim() {
    if (this.look.on) return this.look.view(this.size, this.free);
    return this.orbit.view(this.size, this.free);
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame((time) => {
      this.waiting = false;
      this.frame(time);
    });
  }

  frame(time) {
    const before = this.last ?? time;
    this.last = time;
    const flying = this.fly(time);
    if (this.keys.any) this.keys.move(this.ownOrbit(), Math.min(0.1, (time - before) / 1000));
    const moving = flying || this.keys.any || time - this.touched < 160;
    if (moving) this.adapt(time - before);
    this.draw(moving ? this.budget : this.data.cloud.count);
    if (moving) this.redraw();
    else this.last = undefined;
  }

  // Draws fewer points while something moves on a machine that cannot keep up.
  adapt(milliseconds) {
    const { count } = this.data.cloud;
    if (milliseconds > SLOW) this.budget = Math.max(this.budget * 0.75, Math.min(count, 25000));
    else if (milliseconds < FAST && milliseconds > 0) this.budget = this.budget * 1.1;
    this.budget = Math.min(count, Math.ceil(this.budget));
  }

  fly(time) {
    if (!this.flight) return false;
    this.flight.started ??= time;
    const share = (time - this.flight.started) / 1000 / this.flight.seconds;
    if (share >= 1) this.flight = null;
    else this.flight.share = share * share * (3 - 2 * share);
    return true;
  }

  get view() {
    const aim = this.aim;
    return this.flight ? between(this.flight.from, aim, this.flight.share ?? 0) : aim;
  }

  draw(count) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const { width, height } = this.size;
    this.drawing.resize(Math.round(width * ratio), Math.round(height * ratio));
    const { radius: reach, centre } = this.data.place;
    const view = this.view;
    const away = norm(sub(view.eye, centre));
    // Where points are left out the others grow, so that surfaces stay closed.
    const radius = this.pointRadius * Math.min(2, Math.sqrt(this.data.cloud.count / Math.max(1, count)));
    this.drawing.draw({
      ...{ view, ratio, background: this.background },
      near: Math.max(0.002 * reach, 0.02 * (away - 3 * reach)),
      far: away + 40 * reach,
      points: [
        this.layer("points", this.cloud, { ...this.data.cloud, count }, { ...POINTS, radius }),
        this.layer("landmarks", this.landmarks, this.data.landmarks, LANDMARKS),
      ],
      strokes: this.strokes(),
    });
    // On the way there photo and points do not agree yet.
    const share = this.flight ? (this.flight.share ?? 0) ** 4 : 1;
    if (this.look.on) this.look.show(this.size, this.free, share);
    this.showScale(view);
    this.showLabels(view);
  }

  layer(name, cloud, box, how) {
    const count = this.panel.checked(`show-${name}`) ? box.count : 0;
    return { ...box, ...how, cloud, count, cut: this.cut };
  }

  showLabels(view) {
    for (const { word, at } of this.labels) {
      const spot = this.look.on ? null : projected(view, this.size, at);
      word.hidden = !spot;
      if (spot) word.style.transform = `translate(${spot.x}px, ${spot.y}px) translate(-50%, -100%)`;
    }
  }

  get pointRadius() {
    // Through a camera the map is compared with a photo, so it should have no gaps.
    const closed = this.look.on ? 1.3 : 1;
    return this.data.cloud.radius * this.panel.factor("point-size") * closed;
  }

  strokes() {
    if (this.look.on) return [];
    const strokes = [{ lines: this.lines, width: 1.5, opacity: 1, through: 0.16 }];
    if (this.panel.checked("show-grid")) {
      strokes.unshift({ lines: this.grid, width: 1, opacity: 1, through: 0 });
    }
    if (this.hovered) strokes.push({ lines: this.over, width: 3, opacity: 1, through: 0.7 });
    return strokes;
  }

  get cut() {
    const { floor, top } = this.data.place;
    const share = Number(byId("cut").value);
    return share >= 1 ? 1e30 : floor + share * (top - floor);
  }

  // Choices have changed: lines are made anew.
  changed() {
    const depth = DEFAULT_CAMERA * this.panel.factor("camera-size") * this.data.place.radius;
    const options = { shows: this.panel.shows, depth, ink: this.ink };
    this.marks = marksOf(this.panel.visible, this.data, options);
    this.lines = this.drawing.lines(segmentsOf(this.marks).bytes(), this.lines);
    this.hovered = null;
    const { step } = this.data.place;
    const grid = gridSegments(this.data.place, step, this.ink);
    this.grid = this.drawing.lines(grid.bytes(), this.grid);
    this.redraw();
  }

  showScale(view) {
    byId("scale").hidden = Boolean(this.look.on);
    const { width } = this.size;
    const perPixel = ((view.window[2] - view.window[0]) * this.orbit.distance) / width;
    const length = niceBelow(110 * perPixel);
    byId("scale").firstChild.style.width = `${length / perPixel}px`;
    const text = lengthText(length, this.data.metric);
    const grid = lengthText(this.data.place.step, this.data.metric);
    const shown = this.panel.checked("show-grid");
    byId("scale").lastChild.textContent = shown ? `${text} · grid ${grid}` : text;
  }

  setTheme(dark) {
    this.dark = dark;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    this.background = (dark ? [20, 22, 26] : [238, 240, 243]).map((value) => value / 255);
    this.ink = dark ? [226, 230, 236] : [60, 66, 76];
    this.landmarks.colour = LANDMARK[dark ? "dark" : "light"];
    byId("landmark-dot").style.background = css(this.landmarks.colour);
    this.changed();
  }

  // -- looking through a camera --------------------------------------------------------------

  flyFrom(view, seconds) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.flight = calm ? null : { from: view, seconds };
    this.redraw();
  }

  lookThrough(frame, kind = frame.estimate ? "estimate" : "true") {
    const from = this.view;
    const same = this.look.frame === frame;
    this.look.start(frame, kind);
    this.panel.mark(frame);
    this.hover(null);
    this.flyFrom(from, same ? 0.4 : 0.9);
  }

  leave() {
    if (!this.look.on) return;
    const view = this.view;
    this.endLook();
    this.orbit.follow(view, clamp(this.depthBefore(view), 0.05, 2) * this.data.place.radius);
    this.flyFrom(view, 0.5);
  }

  endLook() {
    this.look.end();
    this.panel.mark(null);
  }

  // How far the middle of a view looks, in radii of the place.
  depthBefore(view) {
    const size = this.size;
    const point = this.pointAt(view, size.width / 2, size.height / 2, 0.2 * size.width);
    const depth = point ? dot(view.axes[2], sub(point, view.eye)) : this.data.place.radius;
    return depth / this.data.place.radius;
  }

  // -- hands ---------------------------------------------------------------------------------

  // The orbit, for someone who wants to move it: a looked-through camera is left at once.
  ownOrbit() {
    if (this.look.on) this.leave();
    this.flight = null;
    return this.orbit;
  }

  act(change) {
    change(this.ownOrbit());
    this.touched = performance.now();
    this.hover(null);
    this.redraw();
  }

  listen() {
    const shorter = () => Math.min(this.free.width, this.free.height);
    listenToPointers(this.canvas, {
      turn: (dx, dy) => this.act((orbit) => orbit.turn((3 * dx) / shorter(), (3 * dy) / shorter())),
      pan: (dx, dy) => this.act((orbit) => orbit.pan(-dx / shorter(), -dy / shorter())),
      zoom: (factor, x, y) =>
        this.act((orbit) => {
          const [left, top, right, bottom] = orbit.view(this.size, this.free).window;
          const { width, height } = this.size;
          orbit.zoom(factor, mix([left], [right], x / width)[0], mix([top], [bottom], y / height)[0]);
        }),
      press: (x, y, reach) => this.press(x, y, reach),
      double: (x, y) => this.turnAbout(x, y),
      hover: (x, y) => !this.look.on && this.hover(this.markAt(x, y, 10), x, y),
      leave: () => this.hover(null),
    });
    window.addEventListener("keydown", (event) => pressKey(this, event));
    byId("home").addEventListener("click", () => this.toOrbit((orbit) => orbit.reset()));
    byId("above").addEventListener("click", () => this.fromAbove());
    byId("theme").addEventListener("click", () => this.setTheme(!this.dark));
    byId("ask").addEventListener("click", () => byId("help").showModal());
    byId("fold").addEventListener("click", () => this.fold());
    byId("fade").addEventListener("input", () => this.redraw());
    byId("leave").addEventListener("click", () => this.leave());
    byId("other").addEventListener("click", () => this.swap());
    byId("before").addEventListener("click", () => this.step(-1));
    byId("after").addEventListener("click", () => this.step(1));
    this.canvas.addEventListener("webglcontextlost", () => problem("The graphics card lost this page; load it again."));
  }

  markAt(x, y, reach) {
    return markAt(this.marks, this.view, this.size, x, y, reach);
  }

  press(x, y, reach) {
    if (this.look.on) return;
    const mark = this.markAt(x, y, reach);
    if (mark) this.lookThrough(mark.frame, mark.kind);
  }

  hover(mark, x, y) {
    byId("tip").hidden = !mark;
    this.canvas.classList.toggle("on-camera", Boolean(mark));
    if (mark) {
      byId("tip").textContent = [mark.frame.name, mark.frame.text].filter(Boolean).join(" · ");
      const left = Math.min(x + 14, this.size.width - byId("tip").offsetWidth - 8);
      Object.assign(byId("tip").style, { left: `${left}px`, top: `${y + 16}px` });
    }
    if (mark === this.hovered) return;
    this.hovered = mark;
    if (mark) {
      const segments = new Segments();
      segments.pyramid(mark.eye, mark.image, mark.colour, 1);
      this.over = this.drawing.lines(segments.bytes(), this.over);
    }
    this.redraw();
  }

  // The point that is drawn nearest to the eye close to a pixel; a sample of the points will do.
  pointAt(view, x, y, reach = 14) {
    const { low, span, count } = this.data.cloud;
    const cut = this.cut;
    let best = null;
    for (let i = 0; i < Math.min(count, 150000); i++) {
      const point = [0, 1, 2].map((k) => low[k] + (this.places[3 * i + k] / 65535) * span[k]);
      const at = point[2] <= cut && projected(view, this.size, point);
      if (!at || Math.abs(at.x - x) > reach || Math.abs(at.y - y) > reach) continue;
      if (!best || at.depth < best.depth) best = { point, depth: at.depth };
    }
    return best?.point ?? null;
  }

  turnAbout(x, y) {
    const view = this.view;
    const point = this.pointAt(view, x, y);
    if (!point) return;
    this.toOrbit((orbit) => {
      orbit.target = point;
      orbit.distance = Math.min(orbit.distance, norm(sub(point, view.eye)));
    });
  }

  // Flies to another place of the orbit.
  toOrbit(change) {
    const from = this.view;
    if (this.look.on) this.endLook();
    change(this.orbit);
    this.flyFrom(from, 0.6);
  }

  fromAbove() {
    this.toOrbit((orbit) => Object.assign(orbit, orbit.home, { pitch: 1.56 }));
  }

  fold() {
    document.body.classList.toggle("folded");
    this.redraw();
  }

  swap() {
    const { frame, kind } = this.look;
    if (frame?.pose && frame.estimate) {
      this.lookThrough(frame, kind === "true" ? "estimate" : "true");
    }
  }

  step(step) {
    const frame = this.panel.neighbour(this.look.frame, step);
    if (frame) this.lookThrough(frame);
  }

  flipPhoto() {
    byId("fade").value = Number(byId("fade").value) < 0.5 ? 1 : 0;
    this.redraw();
  }
}

let viewer = null; // for those who drive the page from outside
try {
  viewer = new Viewer(JSON.parse(byId("data").textContent));
} catch (error) {
  problem(
    error.message === "no WebGL 2"
      ? "This page draws with WebGL 2, which this browser does not offer or has switched off."
      : "This page could not be drawn; its file may be damaged.",
  );
  console.error(error);
}
