// What the browser keeps: the chat, for when the server has lost it; and files for the user.
window.minigpt4 = (() => {
  function opened() {
    return new Promise((done, failed) => {
      const request = indexedDB.open('minigpt4', 1);
      request.onupgradeneeded = () => request.result.createObjectStore('kept');
      request.onsuccess = () => done(request.result);
      request.onerror = () => failed(request.error);
    });
  }
  const opening = opened();
  async function stored(mode, work) {
    try {
      const store = (await opening).transaction('kept', mode).objectStore('kept');
      return await new Promise((done, failed) => {
        const request = work(store);
        request.onsuccess = () => done(request.result);
        request.onerror = () => failed(request.error);
      });
    } catch {  // a browser that stores nothing
      return undefined;
    }
  }
  const keep = (name, value) => stored('readwrite', (store) => store.put(value, name));
  const kept = (name) => stored('readonly', (store) => store.get(name));

  // The server leaves out the pictures that the browser has: `null` stands for each.
  async function keep_chat(text) {
    const chat = text && JSON.parse(text), before = await kept('chat');
    for (const name in chat.pictures) chat.pictures[name] ??= before?.pictures?.[name];
    keep('chat', chat);
  }
  const held_pictures = async () => Object.keys((await kept('chat'))?.pictures ?? {}).join(' ');
  async function kept_chat() {
    const chat = await kept('chat');
    return chat ? JSON.stringify(chat) : '';
  }

  function save(text, name, type) {
    if (!text) return;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], {type}));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // Another tab may have gone on with the chat.
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && !document.querySelector('#textbox .stop-button')) {
      document.querySelector('#resume')?.click();
    }
  });

  return {keep, kept, keep_chat, kept_chat, held_pictures, save};
})();
