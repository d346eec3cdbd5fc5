// One scrolling stage holds both pictures, so zoom and place are the same for all of them.
const state = { view: "compare", zoom: "fit", split: 50, value: null };
const find = (selector) => element.querySelector(selector);
const NAMES = {
  before: "The noisy image", after: "The denoised image",
  residual: "What was removed, around grey", uncertainty: "Where the method wavers",
};

function scale() {
  const { width, height } = state.value;
  if (state.zoom !== "fit") return Number(state.zoom);
  return Math.max(0.01, Math.min(4, find(".zv-stage").clientWidth / width, tallest() / height));
}

function tallest() {
  return Math.min(0.7 * window.innerHeight, 620);
}

function divide() {
  const stage = find(".zv-stage"), over = find(".zv-over"), line = find(".zv-line");
  const comparing = state.view === "compare" && Boolean(state.value.after);
  over.hidden = !comparing;
  line.style.display = comparing ? "" : "none";
  find(".zv-split").style.display = comparing ? "" : "none";
  if (!comparing) return;
  // The divider belongs to the visible part: it stays in sight when the picture moves.
  const seen = stage.getBoundingClientRect(), picture = over.getBoundingClientRect();
  const x = seen.left + (stage.clientWidth * state.split) / 100;
  const left = Math.max(0, Math.min(picture.width, x - picture.left));
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
    const wanted = input.value === "compare" ? value.after : value[input.value];
    input.closest("label").hidden = !wanted;
  }
  const there = state.view === "compare" ? value.after : value[state.view];
  const view = there ? state.view : "before";
  const kept = state.view;
  state.view = view;
  root.querySelector(`[name=zv-view][value=${view}]`).checked = true;
  root.querySelector(`[name=zv-zoom][value="${state.zoom}"]`).checked = true;
  const under = find(".zv-under"), over = find(".zv-over"), canvas = find(".zv-canvas");
  const first = view === "compare" ? "before" : view;
  if (under.getAttribute("src") !== value[first]) under.src = value[first];
  under.alt = NAMES[first];
  if (value.after && over.getAttribute("src") !== value.after) over.src = value.after;
  over.alt = view === "compare" ? NAMES.after : "";
  const times = scale();
  find(".zv-stage").style.height = `${Math.min(tallest(), value.height * times)}px`;
  canvas.style.width = `${value.width * times}px`;
  canvas.style.height = `${value.height * times}px`;
  canvas.classList.toggle("zv-sharp", times >= 1.5);
  find(".zv-note").textContent = value.notes[view] || "";
  divide();
  if (!there) state.view = kept;
}

function zoom(to) {
  const stage = find(".zv-stage"), before = scale();
  const middle = [stage.scrollLeft + stage.clientWidth / 2, stage.scrollTop + stage.clientHeight / 2];
  state.zoom = to;
  show();
  const ratio = scale() / before;
  stage.scrollLeft = middle[0] * ratio - stage.clientWidth / 2;
  stage.scrollTop = middle[1] * ratio - stage.clientHeight / 2;
  divide();
}

element.addEventListener("change", (event) => {
  if (event.target.name === "zv-view") { state.view = event.target.value; show(); }
  if (event.target.name === "zv-zoom") zoom(event.target.value);
});
element.addEventListener("input", (event) => {
  if (event.target.type === "range") { state.split = Number(event.target.value); divide(); }
});
element.addEventListener("scroll", () => { if (state.value) divide(); }, true);
element.addEventListener("pointerdown", (event) => {
  const line = event.target.closest(".zv-line");
  if (!line) return;
  event.preventDefault();
  line.setPointerCapture(event.pointerId);
  line.onpointermove = (move) => {
    const seen = find(".zv-stage").getBoundingClientRect();
    state.split = Math.max(0, Math.min(100, (100 * (move.clientX - seen.left)) / seen.width));
    divide();
  };
  line.onpointerup = () => { line.onpointermove = null; };
});
function take() {
  const text = props.value;
  const next = text ? JSON.parse(text) : null;
  // A new picture starts whole; the same one at another strength stays where it is looked at.
  if (!next || !state.value || next.before !== state.value.before) state.zoom = "fit";
  if (next && next.after && !(state.value && state.value.after)) state.view = "compare";
  state.value = next;
  show();
}
watch("value", take);
new ResizeObserver(() => { if (state.value) show(); }).observe(element);
take();
