// A notice of what is wrong with a message goes as soon as the message changes: words, a picture or a box.
(() => {
  const dismiss = () => document.querySelectorAll('#notice [role="alert"]').forEach((line) => { line.hidden = true; });
  const within = (event, where) => event.target instanceof Element && event.target.closest(where);
  document.addEventListener('input', (event) => within(event, '#textbox, #task') && dismiss(), true);
  document.addEventListener('change', (event) => within(event, '#textbox, #task') && dismiss(), true);
  document.addEventListener('pointerdown', (event) => within(event, '#picker') && dismiss(), true);
  document.addEventListener('keydown', (event) => within(event, '#picker') && event.key.startsWith('Arrow') && dismiss(), true);
  document.addEventListener('click', (event) => within(event, '#textbox .thumbnail-wrapper button') && dismiss(), true);
})();
