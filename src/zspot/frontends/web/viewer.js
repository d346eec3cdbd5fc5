// One scrolling stage holds both pictures, so zoom and place are the same for all of them.
const state = { view: "compare", zoom: "fit", split: 50, value: null, gain: 0, gamma: 1 };
const find = (selector) => element.querySelector(selector);
const NAMES = {
  before: "The noisy image", earlier: "The result of the run before", after: "The denoised image",
  residual: "What was removed, around grey", uncertainty: "Where the method wavers",
};

const picture = (view) => state.value[view === "compare" ? "after" : view];
const shown = () => (picture(state.view) ? state.view : "before");
const compares = () => ["compare", "earlier"].includes(shown());

function scale() {
  const { width, height } = state.value;
  if (state.zoom !== "fit") return Number(state.zoom);
  return Math.max(0.01, Math.min(4, find(".zv-stage").clientWidth / width, tallest() / height));
}

function tallest() {
  const whole = document.fullscreenElement === find(".zv");
  return whole ? window.innerHeight - 150 : Math.min(0.7 * window.innerHeight, 620);
}

function divide() {
  const stage = find(".zv-stage"), over = find(".zv-over"), line = find(".zv-line");
  const comparing = compares();
  over.hidden = !comparing;
  line.style.display = comparing ? "" : "none";
  find(".zv-split").style.display = comparing ? "" : "none";
  if (!comparing) return;
  // The divider belongs to the visible part: it stays in sight when the picture moves.
  const seen = stage.getBoundingClientRect(), whole = over.getBoundingClientRect();
  const x = seen.left + (stage.clientWidth * state.split) / 100;
  const left = Math.max(0, Math.min(whole.width, x - whole.left));
  over.style.clipPath = `inset(0 0 0 ${left}px)`;
  line.style.left = `${x - seen.left}px`;
  find(".zv-split input").value = state.split;
}

function show() {
  const value = state.value, root = find(".zv");
  if (!root) return;
  root.hidden = !value;
  if (!value) return;
  for (const input of root.querySelectorAll("[name=zv-view]")) {
    input.closest("label").hidden = !picture(input.value);
  }
  const view = shown();
  root.querySelector(`[name=zv-view][value=${view}]`).checked = true;
  for (const input of root.querySelectorAll("[name=zv-zoom]")) {
    input.checked = input.value === String(state.zoom);
  }
  const under = find(".zv-under"), over = find(".zv-over"), canvas = find(".zv-canvas");
  const first = view === "compare" ? "before" : view;
  if (under.getAttribute("src") !== value[first]) under.src = value[first];
  under.alt = NAMES[first];
  if (value.after && over.getAttribute("src") !== value.after) over.src = value.after;
  over.alt = compares() ? NAMES.after : "";
  const times = scale();
  find(".zv-stage").style.height = `${Math.min(tallest(), value.height * times)}px`;
  canvas.style.width = `${value.width * times}px`;
  canvas.style.height = `${value.height * times}px`;
  canvas.classList.toggle("zv-sharp", times >= 1.5);
  find(".zv-note").textContent = value.notes[view] || "";
  tone();
  divide();
}

// Brightness and gamma of both pictures alike; what was removed keeps its own scale.
function tone() {
  const own = ["residual", "uncertainty"].includes(shown());
  const changed = !own && (state.gain !== 0 || state.gamma !== 1);
  for (const part of element.querySelectorAll("#zv-curve feComponentTransfer > *")) {
    part.setAttribute("amplitude", 2 ** (state.gain / state.gamma));
    part.setAttribute("exponent", 1 / state.gamma);
  }
  for (const img of element.querySelectorAll(".zv-canvas img")) {
    img.style.filter = changed ? "url(#zv-curve)" : "";
  }
}

// Zoom so that the point `x`, `y` of the stage, its middle by default, keeps its place.
function zoom(to, x, y) {
  const stage = find(".zv-stage"), before = scale(), old = find(".zv-canvas").offsetLeft;
  const at = [x ?? stage.clientWidth / 2, y ?? stage.clientHeight / 2];
  const point = [stage.scrollLeft + at[0] - old, stage.scrollTop + at[1]];
  state.zoom = to;
  show();
  const ratio = scale() / before;
  stage.scrollLeft = point[0] * ratio - at[0] + find(".zv-canvas").offsetLeft;
  stage.scrollTop = point[1] * ratio - at[1];
  divide();
}

function place(event) {
  const box = find(".zv-stage").getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

element.addEventListener("wheel", (event) => {
  if (!event.target.closest(".zv-frame")) return;
  event.preventDefault();
  zoom(Math.max(0.05, Math.min(16, scale() * 1.2 ** -Math.sign(event.deltaY))), ...place(event));
}, { passive: false });
element.addEventListener("dblclick", (event) => {
  if (event.target.closest(".zv-frame")) zoom(state.zoom === "1" ? "fit" : "1", ...place(event));
});
element.addEventListener("click", (event) => {
  if (!event.target.closest(".zv-full")) return;
  if (document.fullscreenElement) document.exitFullscreen();
  else find(".zv").requestFullscreen();
});
document.addEventListener("fullscreenchange", () => { if (state.value) show(); });
element.addEventListener("pointerdown", (event) => {
  const stage = find(".zv-stage"), line = event.target.closest(".zv-line");
  if (line) {
    follow(line, event, (move) => {
      const seen = stage.getBoundingClientRect();
      state.split = Math.max(0, Math.min(100, (100 * (move.clientX - seen.left)) / seen.width));
      divide();
    });
  } else if (stage.contains(event.target) && event.pointerType === "mouse" && event.button === 0) {
    stage.focus({ preventScroll: true });
    follow(stage, event, (move) => stage.scrollBy(-move.movementX, -move.movementY));
  }
});

// Call `moved` until the pointer is let go.
function follow(part, event, moved) {
  event.preventDefault();
  part.setPointerCapture(event.pointerId);
  part.classList.add("zv-drag");
  part.onpointermove = moved;
  part.onpointerup = () => { part.onpointermove = null; part.classList.remove("zv-drag"); };
}

// A picture from the clipboard is taken as if it had been chosen.
document.addEventListener("paste", (event) => {
  const file = event.clipboardData?.files[0];
  if (!file) return;
  const give = (tries) => {
    const input = document.querySelector("#zs-file input[type=file]");
    const clearing = document.querySelector(".zs-noise");  // gradio takes no file before its end
    if (!input || clearing) return tries ? setTimeout(() => give(tries - 1), 100) : undefined;
    const chosen = new DataTransfer();
    chosen.items.add(file);
    input.files = chosen.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  document.querySelector("#zs-file button[aria-label=Clear]")?.click();
  give(100);
});

element.addEventListener("change", (event) => {
  if (event.target.name === "zv-view") { state.view = event.target.value; show(); }
  if (event.target.name === "zv-zoom") zoom(event.target.value);
});
element.addEventListener("input", (event) => {
  const value = Number(event.target.value);
  if (event.target.closest(".zv-split")) { state.split = value; divide(); }
  if (event.target.closest(".zv-gain")) { state.gain = value; show(); }
  if (event.target.closest(".zv-gamma")) { state.gamma = value; show(); }
});
element.addEventListener("scroll", () => { if (state.value) divide(); }, true);
function take() {
  const next = props.value ? JSON.parse(props.value) : null;
  const first = next?.after && !state.value?.after;
  // A new picture starts whole; the same one at another strength stays where it is looked at.
  if (!next || next.before !== state.value?.before) state.zoom = "fit";
  if (first) state.view = "compare";
  state.value = next;
  show();
  // On a phone the result is below the controls: bring it into sight.
  if (first && element.getBoundingClientRect().bottom > window.innerHeight + 200) {
    element.scrollIntoView({ behavior: "smooth", block: "start" });
  }
}
// The middle of what is in view, at most 512 x 512 pixels, as "x,y,width,height".
window.zspotPart = () => {
  const stage = find(".zv-stage"), canvas = find(".zv-canvas"), times = scale();
  const part = (scrolled, offset, seen, size) => {
    const first = Math.max(0, scrolled - Math.max(0, offset)) / times;
    const length = Math.min(seen / times, size - first), kept = Math.min(512, Math.round(length));
    return [Math.floor(first + (length - kept) / 2), kept];
  };
  const { width, height } = state.value;
  const [x, w] = part(stage.scrollLeft, canvas.offsetLeft, stage.clientWidth, width);
  const [y, h] = part(stage.scrollTop, canvas.offsetTop, stage.clientHeight, height);
  return [Math.max(0, x), Math.max(0, y), w, h].join(",");
};
watch("value", take);
new ResizeObserver(() => { if (state.value) show(); }).observe(element);
take();
