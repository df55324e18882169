// Gradio's components get the names and roles that screen readers need, and a finished answer is read out, once.
(() => {
  const repairs = {
    '#chat .examples[role="list"]': (list) => { list.setAttribute('role', 'group'); list.setAttribute('aria-label', 'Examples'); },
    '#textbox .thumbnail-wrapper[role="listitem"]': (item) => item.removeAttribute('role'),
    '#textbox textarea:not([aria-label])': (area) => area.setAttribute('aria-label', 'Your message'),
    '#chat .edit-textarea:not([aria-label])': (area) => area.setAttribute('aria-label', 'Edited message'),
    '#chat .image-container > button:not([aria-label])': (button) =>
      button.setAttribute('aria-label', button.querySelector('img')?.alt || 'Picture'),
    '#chat a.download-link:not([tabindex])': (link) => link.setAttribute('tabindex', '-1'),  // its button is enough
    // Growing answers would be read again with every word.
    '#chat [role="log"]:not([aria-live="off"])': (log) => log.setAttribute('aria-live', 'off'),
    // The words themselves are read, not Gradio's copy of them with their HTML.
    '#chat [data-testid="bot"][aria-label]': (message) => message.removeAttribute('aria-label'),
  };
  let heard, answering = false, waiting = false;

  function announce() {
    if (!heard) {
      heard = document.body.appendChild(document.createElement('div'));
      heard.className = 'heard';
      heard.id = 'heard';
      heard.setAttribute('role', 'status');
    }
    const now = document.querySelector('#textbox .stop-button') !== null;
    if (answering && !now) {
      const rows = [...document.querySelectorAll('#chat .message-row')];
      const asked = rows.findLastIndex((row) => row.classList.contains('user-row'));
      heard.textContent = rows.slice(asked + 1).map((row) => row.querySelector('.message')?.innerText.trim()).filter(Boolean).join('\n');
    } else if (now) {
      heard.textContent = '';
    }
    answering = now;
  }

  function repair() {
    waiting = false;
    for (const [where, how] of Object.entries(repairs)) document.querySelectorAll(where).forEach(how);
    announce();
  }

  new MutationObserver(() => {
    if (!waiting) setTimeout(repair, 50);
    waiting = true;
  }).observe(document.documentElement, {subtree: true, childList: true});
})();
