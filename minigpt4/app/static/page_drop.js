// Pictures dropped or pasted anywhere go into the message; files that cannot are refused by name, in one style.
(() => {
  const READABLE = /^image\/(png|jpeg|webp|gif|bmp|avif)$/;

  async function fault(file) {
    if (/\.hei[cf]$/i.test(file.name) || /^image\/hei[cf]/.test(file.type)) return 'is HEIC, which cannot be read: save it as JPEG or PNG.';
    if (!file.type.startsWith('image/')) return 'is not a picture.';
    if (file.size > MAX_FILE_MEGABYTES * 2 ** 20) return `has ${(file.size / 2 ** 20).toFixed(1)} MB; at most ${MAX_FILE_MEGABYTES} MB can be read.`;
    if (!READABLE.test(file.type)) return '';  // the server knows more formats than the browser
    try {
      (await createImageBitmap(file)).close();
      return '';
    } catch {
      return 'is damaged, or not a picture.';
    }
  }

  function refuse(faults) {
    let list = document.querySelector('#refused');
    if (!list) {
      list = document.createElement('div');
      list.id = 'refused';
      list.setAttribute('role', 'alert');
      document.querySelector('#textbox').before(list);
    }
    list.replaceChildren(...faults.map(([file, why]) => {
      const line = document.createElement('p'), words = document.createElement('span'), close = document.createElement('button');
      words.textContent = `${file.name} ${why}`;
      close.textContent = '✕';
      close.setAttribute('aria-label', `Dismiss the notice about ${file.name}`);
      close.onclick = () => line.remove();
      line.append(words, close);
      return line;
    }));
  }

  async function add(files) {
    const looked = await Promise.all(files.map(async (file) => [file, await fault(file)]));
    const good = looked.filter(([, why]) => !why).map(([file]) => file);
    const faults = looked.filter(([, why]) => why);
    if (faults.length || document.querySelector('#refused')) refuse(faults);
    window.minigpt4.attach(good);
  }

  const files = (data) => [...(data?.files || [])];
  const carries = (event) => [...(event.dataTransfer?.types || [])].includes('Files');
  function hint(shown) {
    let element = document.querySelector('#drop');
    if (!element) {
      if (!shown) return;
      element = document.body.appendChild(document.createElement('div'));
      element.id = 'drop';
      element.textContent = 'Drop pictures anywhere';
    }
    element.classList.toggle('shown', shown);
  }

  let depth = 0;
  const on = (name, how) => window.addEventListener(name, how, true);  // before Gradio's own, which only know their place
  on('dragenter', (event) => { if (carries(event)) { depth += 1; hint(true); } });
  on('dragleave', (event) => { if (carries(event) && (depth -= 1) <= 0) hint(false); });
  on('dragover', (event) => carries(event) && event.preventDefault());
  on('drop', (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    event.stopPropagation();
    depth = 0;
    hint(false);
    add(files(event.dataTransfer));
  });
  on('paste', (event) => {
    const pasted = files(event.clipboardData);
    if (!pasted.length) return;
    event.preventDefault();
    event.stopPropagation();
    add(pasted);
  });
  // What was refused is of no more interest when the message is sent.
  const sent = () => document.querySelector('#refused')?.replaceChildren();
  on('keydown', (event) => event.key === 'Enter' && !event.shiftKey && event.target.matches?.('#textbox textarea') && sent());
  on('click', (event) => event.target.closest?.('#textbox .submit-button') && sent());
  on('change', (event) => {
    if (!(event.target instanceof Element) || !event.target.matches('#textbox input[type="file"]')) return;
    if (!event.isTrusted) return;  // what `attach` has chosen, not the user
    const chosen = [...event.target.files];
    event.stopPropagation();
    event.target.value = '';
    add(chosen);
  });
})();
