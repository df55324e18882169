// Pictures of the chat and of the message being written fill the screen when they are clicked.
(() => {
  function enlarge(picture) {
    const dialog = document.createElement('dialog'), close = document.createElement('button'), large = document.createElement('img');
    dialog.id = 'enlarged';
    dialog.setAttribute('aria-label', picture.alt || 'Picture');
    large.src = picture.src;
    large.alt = picture.alt || 'Picture';
    close.textContent = '✕';
    close.setAttribute('aria-label', 'Close');
    dialog.append(large, close);
    dialog.addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }
  document.addEventListener('click', (event) => {
    const place = event.target instanceof Element && event.target.closest('#chat .enlarge, #textbox .thumbnail-wrapper img');
    if (place) enlarge(place.matches('img') ? place : place.querySelector('img'));
  });
})();
