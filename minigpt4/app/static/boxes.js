// A phrase and its boxes light up together, and a picture with boxes fills the screen.
function light(node) {
  const tied = node?.closest?.('.message [data-phrase]');
  for (const each of element.querySelectorAll('.lit, .dim')) each.classList.remove('lit', 'dim');
  if (!tied) return;
  for (const each of tied.closest('.message').querySelectorAll('[data-phrase]')) {
    each.classList.add(each.dataset.phrase === tied.dataset.phrase ? 'lit' : 'dim');
  }
}
element.addEventListener('pointerover', (event) => light(event.target));
element.addEventListener('pointerleave', () => light(null));
element.addEventListener('focusin', (event) => light(event.target));
element.addEventListener('focusout', () => light(null));

// Labels that would cover each other stand below each other, as long as the picture has room.
function spread() {
  const frames = [...element.querySelectorAll('.view .frame')].map((frame) => [frame, [...frame.querySelectorAll('.label')]]);
  for (const [, labels] of frames) for (const label of labels) label.style.translate = '';
  for (const [frame, labels] of frames) {
    const areas = labels.map((label) => label.getBoundingClientRect());
    const end = frame.getBoundingClientRect().bottom, taken = [];
    areas.forEach(({left, right, top, height}, index) => {
      let y = top;
      for (const other of taken.sort((a, b) => a.y - b.y)) {
        if (left < other.right && right > other.left && y < other.y + height + 2 && y + height + 2 > other.y) y = other.y + height + 2;
      }
      if (y + height > end) y = top;
      taken.push({left, right, y});
      if (y !== top) labels[index].style.translate = `0 ${y - top}px`;
    });
  }
}

element.addEventListener('click', (event) => {
  const button = event.target.closest('button.fullscreen');
  if (!button) return;
  const view = button.closest('.view');
  const picture = view.querySelector('img');
  view.style.setProperty('--ratio', picture.naturalWidth / picture.naturalHeight);
  if (document.fullscreenElement) document.exitFullscreen();
  else if (view.requestFullscreen) view.requestFullscreen();
  else view.classList.toggle('filling');  // telephones without it
});
