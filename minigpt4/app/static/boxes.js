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
