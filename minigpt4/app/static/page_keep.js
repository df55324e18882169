// What the browser keeps: the chat, for when the server has lost it, and the message that is being written.
window.minigpt4 = (() => {
  function opened() {
    return new Promise((done, failed) => {
      const request = indexedDB.open('minigpt4', 1);
      request.onupgradeneeded = () => request.result.createObjectStore('kept');
      request.onsuccess = () => done(request.result);
      request.onerror = () => failed(request.error);
    });
  }
  async function stored(mode, work) {
    try {
      const store = (await opened()).transaction('kept', mode).objectStore('kept');
      return await new Promise((done, failed) => {
        const request = work(store);
        request.onsuccess = () => done(request.result);
        request.onerror = () => failed(request.error);
      });
    } catch (error) {  // a browser that stores nothing
      return undefined;
    }
  }
  const keep = (name, value) => stored('readwrite', (store) => store.put(value, name));
  const kept = (name) => stored('readonly', (store) => store.get(name));

  // Files go into the message as if they had been chosen in its dialog.
  function attach(files) {
    const input = document.querySelector('#textbox input[type="file"]');
    if (!input || !files.length) return;
    const held = new DataTransfer();
    files.forEach((file) => held.items.add(file));
    input.files = held.files;
    input.dispatchEvent(new Event('change', {bubbles: true}));
  }

  function save(text, name, type) {
    if (!text) return;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], {type}));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  const pictures = () => [...document.querySelectorAll('#textbox .thumbnail-wrapper img')].map((picture) => picture.src);
  let written = '', begun = false, draft = null, answering = false, awaited = 0, patience = 0, offered = '', until = 0;

  // A message counts as sent when its answer has ended: until then it may have to be offered again.
  function sending() {
    const area = document.querySelector('#textbox textarea');
    offered = '';
    if (begun && area?.value) keep('sent', {text: area.value, files: draft?.files || []});
  }
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && event.target.matches?.('#textbox textarea')) sending();
  }, true);
  document.addEventListener('click', (event) => event.target.closest?.('#textbox .submit-button') && sending(), true);

  function write(area, text) {
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set.call(area, text);
    area.dispatchEvent(new Event('input', {bubbles: true}));
  }

  // A message that was sent, and of which neither an answer nor its making is known.
  async function offer_again() {
    const sent = await kept('sent'), area = document.querySelector('#textbox textarea');
    const said = [...document.querySelectorAll('#chat .user .words')].pop()?.innerText;
    if (!sent || answering || document.querySelector('#textbox .stop-button')) return;
    if (!area.value && !pictures().length && said?.trim() !== sent.text.trim()) {
      write(area, sent.text);
      attach(sent.files);
    }
    keep('sent', null);
  }

  async function restore(area) {
    draft = await kept('draft');
    if (draft?.text) [offered, until] = [draft.text, Date.now() + 5_000];  // a page that is still being built empties it again
    if (draft?.files?.length && !pictures().length) {
      attach(draft.files);
      [awaited, patience] = [draft.files.length, Date.now() + 60_000];  // the draft is whole again when they are uploaded
    }
    begun = true;
    setTimeout(offer_again, 2000);
  }

  async function look() {
    const area = document.querySelector('#textbox textarea');
    if (!area) return;
    if (!begun) return restore(area);
    if (offered && Date.now() < until && !area.value) write(area, offered);
    const now_answering = document.querySelector('#textbox .stop-button') !== null;
    if (answering && !now_answering) keep('sent', null);
    answering = now_answering;
    if (pictures().length < awaited && Date.now() < patience) return;
    awaited = 0;
    const now = JSON.stringify([area.value, pictures()]);
    if (now === written) return;
    written = now;
    const files = await Promise.all(pictures().map(async (address, index) => {
      const content = await (await fetch(address)).blob();
      return new File([content], decodeURIComponent(address.split('/').pop()) || `picture-${index}`, {type: content.type});
    }));
    draft = {text: area.value, files};
    keep('draft', draft);
  }
  let looking = false;
  setInterval(async () => {
    if (looking) return;
    looking = true;
    await look().catch(() => { written = ''; });
    looking = false;
  }, 400);

  // Another tab may have gone on with the chat.
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && !document.querySelector('#textbox .stop-button')) {
      document.querySelector('#resume')?.click();
    }
  });

  // The chat that the browser kept, where the server shows none.
  async function lost() {
    await new Promise((done) => setTimeout(done, 200));
    return document.querySelector('#chat .message') ? '' : (await kept('chat')) || '';
  }
  return {keep, kept, attach, save, lost};
})();
