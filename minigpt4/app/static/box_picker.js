// The frame is drawn anew whenever the value changes, so listeners sit on `element`, which stays.
let start = null;
const clamp = (value) => Math.min(100, Math.max(0, value));
const frame = () => element.querySelector('.frame');

function place(event) {
  const area = frame().getBoundingClientRect();
  return [clamp((event.clientX - area.left) / area.width * 100), clamp((event.clientY - area.top) / area.height * 100)];
}

function between(a, b) {
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])].map(Math.round);
}

function show([x1, y1, x2, y2]) {
  Object.assign(element.querySelector('.box').style,
    {display: 'block', left: x1 + '%', top: y1 + '%', width: x2 - x1 + '%', height: y2 - y1 + '%'});
}

element.addEventListener('pointerdown', (event) => {
  if (!event.target.closest('.frame') || event.button !== 0) return;
  event.preventDefault();
  frame().focus();
  start = place(event);
  element.setPointerCapture(event.pointerId);
});
element.addEventListener('selectstart', (event) => event.preventDefault());
element.addEventListener('pointermove', (event) => {
  if (start) show(between(start, place(event)));
});
element.addEventListener('pointerup', (event) => {
  if (!start) return;
  const box = between(start, place(event));
  start = null;
  props.value = box[2] > box[0] && box[3] > box[1] ? box : null;
});
element.addEventListener('pointercancel', () => {
  start = null;
  props.value = null;
});
element.addEventListener('keydown', (event) => {
  const step = {ArrowLeft: [-2, 0], ArrowRight: [2, 0], ArrowUp: [0, -2], ArrowDown: [0, 2]}[event.key];
  if (!step || !event.target.closest('.frame')) return;
  event.preventDefault();
  let [x1, y1, x2, y2] = props.value || [40, 40, 60, 60];
  if (props.value) {
    const [dx, dy] = step;
    if (event.shiftKey) {
      [x2, y2] = [Math.min(100, Math.max(x1 + 2, x2 + dx)), Math.min(100, Math.max(y1 + 2, y2 + dy))];
    } else {
      const [mx, my] = [Math.max(-x1, Math.min(100 - x2, dx)), Math.max(-y1, Math.min(100 - y2, dy))];
      [x1, y1, x2, y2] = [x1 + mx, y1 + my, x2 + mx, y2 + my];
    }
  }
  props.value = [x1, y1, x2, y2];
  setTimeout(() => frame().focus());
});
