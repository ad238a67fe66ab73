// What stands around the picture: choices, the list of frames, the texts.
const byId = (id) => document.getElementById(id);

function problem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = false;
}

// A length of the scene as text: metric scenes in m, cm or mm, others in their own units.
function lengthText(length, metric) {
  const plain = (value) => String(Number(value.toPrecision(3)));
  if (!metric) return `${plain(length)} ${length === 1 ? "unit" : "units"}`;
  if (length >= 1) return `${plain(length)} m`;
  return length >= 0.01 ? `${plain(100 * length)} cm` : `${plain(1000 * length)} mm`;
}

class Panel {
  // `changed()` is called when another choice was made, `chosen(frame)` when a frame was.
  constructor(data, changed, chosen) {
    Object.assign(this, { data, chosen });
    const judged = data.frames.some((frame) => frame.judged);
    const queries = data.frames.some((frame) => frame.query);
    for (const [kind, there] of [
      ["for-eval", judged],
      ["for-queries", queries],
      ["for-landmarks", data.landmarks.count > 0],
    ]) {
      for (const part of document.querySelectorAll(`.${kind}`)) part.hidden = !there;
    }
    byId("kind").value = queries ? "query" : "mapping";
    byId("kind").hidden = !queries;
    byId("order").hidden = !judged;
    byId("order").value = judged ? "worst" : "name";
    byId("facts").replaceChildren(
      ...data.facts.map((fact) => Object.assign(document.createElement("span"), { textContent: fact })),
    );
    byId("lost-dot").style.background = css(LOST);
    if (judged) this.showLegend();
    byId("panel").addEventListener("input", () => {
      this.showLimits();
      this.list();
      changed();
    });
    this.showLimits();
    this.list();
  }

  checked(id) {
    return byId(id).checked;
  }

  // A slider from -2 to 2 as a factor from a quarter to four.
  factor(id) {
    return 2 ** Number(byId(id).value);
  }

  get shows() {
    return {
      mapping: this.checked("show-mapping"),
      true: this.checked("show-true"),
      estimates: this.checked("show-estimates"),
    };
  }

  showLegend() {
    const { ends, ticks, unit } = this.data.errors;
    byId("unit").textContent = unit;
    byId("legend").firstChild.style.background =
      `linear-gradient(to right, ${ERROR_STOPS.map(css).join(", ")})`;
    for (const [value, label] of ticks) {
      const tick = document.createElement("span");
      tick.textContent = label;
      tick.style.left = `${(100 * Math.log(value / ends[0])) / Math.log(ends[1] / ends[0])}%`;
      byId("legend").lastChild.append(tick);
    }
  }

  // Smallest and largest error to show, in scene units.
  get limits() {
    if (!this.data.errors) return [0, Infinity];
    const [low, high] = this.data.errors.range;
    const at = (id) => low * (high / low) ** (Number(byId(id).value) / 100);
    return [
      byId("least").value === "0" ? 0 : at("least"),
      byId("most").value === "100" ? Infinity : at("most"),
    ];
  }

  showLimits() {
    const [least, most] = this.limits;
    const text = (value) => this.errorText(value);
    byId("least-text").textContent = least === 0 ? "any" : text(least);
    byId("most-text").textContent = most === Infinity ? "any" : text(most);
  }

  // An error in the unit of the legend, in short.
  errorText(error) {
    const { scale, unit } = this.data.errors;
    const value = error * scale;
    return `${value >= 100 ? Math.round(value) : value.toPrecision(2)} ${unit.split(" ")[0]}`;
  }

  passes(frame) {
    if (!frame.query || !frame.judged) return true;
    if (!frame.localized) return this.checked("show-lost");
    const [least, most] = this.limits;
    const within = frame.error === null || (frame.error >= least && frame.error <= most);
    return this.checked("show-found") && within;
  }

  get visible() {
    return this.data.frames.filter((frame) => this.passes(frame));
  }

  list() {
    const queries = byId("kind").value === "query";
    const all = this.data.frames.filter((frame) => frame.query === queries);
    const order = byId("order").value;
    const error = (frame) => (frame.judged && !frame.localized ? Infinity : (frame.error ?? -1));
    this.rows = all.filter((frame) => this.passes(frame));
    if (order === "name" || !queries) {
      this.rows.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
    } else {
      const sign = order === "worst" ? -1 : 1;
      this.rows.sort((a, b) => sign * ((error(a) > error(b)) - (error(a) < error(b))));
    }
    byId("count").textContent = `${this.rows.length} of ${all.length} shown`;
    byId("list").replaceChildren(...this.rows.map((frame) => this.row(frame)));
    this.mark(this.current);
  }

  row(frame) {
    const [item, button, dot, name, text] = ["li", "button", "i", "b", "span"].map((tag) =>
      document.createElement(tag),
    );
    // Names are cut at their beginning, which needs a mark to keep slashes where they are.
    name.textContent = `\u200e${frame.name}`;
    button.title = [frame.name, frame.text].filter(Boolean).join(": ");
    button.dataset.name = frame.name;
    if (frame.judged) {
      const found = frame.error === null ? null : css(errorColour(frame.error, this.data.errors.ends));
      dot.style.background = frame.localized ? (found ?? "none") : css(LOST);
      text.textContent = frame.localized
        ? frame.error === null ? "" : this.errorText(frame.error)
        : "not localized";
      button.append(dot);
    }
    button.append(name, text);
    button.addEventListener("click", () => this.chosen(frame));
    item.append(button);
    return item;
  }

  // Shows which frame is looked through.
  mark(frame) {
    this.current = frame;
    for (const button of byId("list").querySelectorAll("button")) {
      const current = frame && button.dataset.name === frame.name;
      if (current) {
        button.setAttribute("aria-current", "true");
        button.scrollIntoView({ block: "nearest" });
      } else button.removeAttribute("aria-current");
    }
  }

  // The frame some steps further in the list, round and round.
  neighbour(frame, step) {
    if (!this.rows.length) return frame;
    const index = this.rows.indexOf(frame);
    if (index < 0) return this.rows[0];
    return this.rows[(index + step + this.rows.length) % this.rows.length];
  }
}
