// Keys that move as long as they are held, by what they do to the orbit in so many seconds.
const MOTIONS = {
  ArrowLeft: (o, s) => o.turn(1.6 * s, 0),
  ArrowRight: (o, s) => o.turn(-1.6 * s, 0),
  ArrowUp: (o, s) => o.turn(0, 1.2 * s),
  ArrowDown: (o, s) => o.turn(0, -1.2 * s),
  KeyW: (o, s) => o.walk(0.8 * s, 0, 0),
  KeyS: (o, s) => o.walk(-0.8 * s, 0, 0),
  KeyA: (o, s) => o.walk(0, -0.8 * s, 0),
  KeyD: (o, s) => o.walk(0, 0.8 * s, 0),
  KeyE: (o, s) => o.walk(0, 0, 0.6 * s),
  KeyQ: (o, s) => o.walk(0, 0, -0.6 * s),
  Equal: (o, s) => o.zoom(Math.exp(-1.5 * s)),
  NumpadAdd: (o, s) => o.zoom(Math.exp(-1.5 * s)),
  Minus: (o, s) => o.zoom(Math.exp(1.5 * s)),
  NumpadSubtract: (o, s) => o.zoom(Math.exp(1.5 * s)),
};

class HeldKeys {
  constructor() {
    this.held = new Set();
    window.addEventListener("keyup", (event) => this.held.delete(event.code));
    window.addEventListener("blur", () => this.held.clear());
  }

  // Whether the key is one that moves.
  press(code) {
    if (code in MOTIONS) this.held.add(code);
    return code in MOTIONS;
  }

  get any() {
    return this.held.size > 0;
  }

  move(orbit, seconds) {
    for (const code of this.held) MOTIONS[code](orbit, seconds);
  }
}

// Keys that do one thing when they are pressed.
const ACTS = {
  r: (viewer) => viewer.toOrbit((orbit) => orbit.reset()),
  Home: (viewer) => viewer.toOrbit((orbit) => orbit.reset()),
  t: (viewer) => viewer.fromAbove(),
  l: (viewer) => viewer.setTheme(!viewer.dark),
  g: () => byId("show-grid").click(),
  m: () => byId("show-landmarks").click(),
  p: (viewer) => viewer.fold(),
  x: (viewer) => viewer.swap(),
  ".": (viewer) => viewer.step(1),
  ",": (viewer) => viewer.step(-1),
  " ": (viewer) => viewer.look.on && viewer.flipPhoto(),
  "?": () => byId("help").showModal(),
  Escape: (viewer) => viewer.leave(),
};

function pressKey(viewer, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  // Sliders, lists and buttons keep the keys by which they are worked.
  const on = (kinds) => event.target instanceof HTMLElement && event.target.matches(kinds);
  if (on("input, select") && /^(Arrow|Home|End)/.test(event.code)) return;
  if (on("button, input, select") && event.key === " ") return;
  if (on("select") && event.key.length === 1) return;
  const act = ACTS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (act) act(viewer);
  else if (viewer.keys.press(event.code)) {
    // A tap is a small step, however slow pictures come.
    if (!event.repeat) viewer.act((orbit) => MOTIONS[event.code](orbit, 0.04));
  } else return;
  event.preventDefault();
}
