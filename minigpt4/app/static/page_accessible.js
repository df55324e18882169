// Gradio's components get the names and roles that screen readers need, and a finished answer is read out, once.
(() => {
  const repairs = {
    '#textbox .thumbnail-wrapper[role="listitem"]': (item) => item.removeAttribute('role'),
    '#textbox textarea:not([aria-label])': (area) => area.setAttribute('aria-label', 'Your message'),
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
      const messages = [...document.querySelectorAll('#chat .message')];
      const asked = messages.findLastIndex((message) => message.classList.contains('user'));
      heard.textContent = messages.slice(asked + 1).map((message) => message.querySelector('.words')?.innerText.trim()).filter(Boolean).join('\n');
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
